"""The three actions with Chalice, which takes the events of REST APIs."""

from typing import Any

from chalice import Chalice, Response
from data import find, find_one, insert_one, to_json

app = Chalice(app_name="mongo-client")


def _answer(result: dict[str, Any], status: int = 200) -> Response:
    return Response(to_json(result), {"Content-Type": "application/json"}, status)


@app.route("/api/data/v1/action/findOne", methods=["POST"])
def _find_one() -> Response:
    return _answer(find_one(app.current_request.json_body))


@app.route("/api/data/v1/action/insertOne", methods=["POST"])
def _insert_one() -> Response:
    return _answer(insert_one(app.current_request.json_body), 201)


@app.route("/api/data/v1/action/find", methods=["POST"])
def _find() -> Response:
    return _answer(find(app.current_request.json_body))


def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    return app(event, context)
