"""The three actions with FastAPI, which Mangum gives Lambda's events to."""

from typing import Any

from data import find, find_one, insert_one, to_json
from fastapi import FastAPI, Response
from mangum import Mangum

app = FastAPI()


def _answer(result: dict[str, Any], status: int = 200) -> Response:
    return Response(to_json(result), status, media_type="application/json")


@app.post("/api/data/v1/action/findOne")
def _find_one(fields: dict[str, Any]) -> Response:
    return _answer(find_one(fields))


@app.post("/api/data/v1/action/insertOne")
def _insert_one(fields: dict[str, Any]) -> Response:
    return _answer(insert_one(fields), 201)


@app.post("/api/data/v1/action/find")
def _find(fields: dict[str, Any]) -> Response:
    return _answer(find(fields))


lambda_handler = Mangum(app, lifespan="off")
