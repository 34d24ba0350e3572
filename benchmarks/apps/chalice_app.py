"""The three actions with Chalice, which takes the events of REST APIs."""

from typing import Any

from chalice import Chalice, Response
from data import act, to_json

app = Chalice(app_name="mongo-client")


def _act(action: str, status: int = 200) -> Response:
    request = app.current_request
    result = act(action, request.json_body, request.headers.get("apikey"))
    return Response(to_json(result), {"Content-Type": "application/json"}, status)


@app.route("/api/data/v1/action/findOne", methods=["POST"])
def _find_one() -> Response:
    return _act("findOne")


@app.route("/api/data/v1/action/insertOne", methods=["POST"])
def _insert_one() -> Response:
    return _act("insertOne", 201)


@app.route("/api/data/v1/action/find", methods=["POST"])
def _find() -> Response:
    return _act("find")


def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    return app(event, context)
