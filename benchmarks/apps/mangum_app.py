"""The three actions with FastAPI, which Mangum gives Lambda's events to."""

from typing import Annotated, Any

from data import act, to_json
from fastapi import FastAPI, Header, Response
from mangum import Mangum

app = FastAPI()
Key = Annotated[str | None, Header(alias="apikey")]


def _act(action: str, fields: dict[str, Any], key: str | None, status: int = 200) -> Response:
    return Response(to_json(act(action, fields, key)), status, media_type="application/json")


@app.post("/api/data/v1/action/findOne")
def _find_one(fields: dict[str, Any], key: Key = None) -> Response:
    return _act("findOne", fields, key)


@app.post("/api/data/v1/action/insertOne")
def _insert_one(fields: dict[str, Any], key: Key = None) -> Response:
    return _act("insertOne", fields, key, 201)


@app.post("/api/data/v1/action/find")
def _find(fields: dict[str, Any], key: Key = None) -> Response:
    return _act("find", fields, key)


lambda_handler = Mangum(app, lifespan="off")
