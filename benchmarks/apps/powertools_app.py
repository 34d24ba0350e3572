"""The three actions with Powertools for AWS Lambda's resolver of HTTP API events."""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from data import act, to_json

app = APIGatewayHttpResolver(serializer=to_json)


def _act(action: str) -> dict[str, Any]:
    event = app.current_event
    return act(action, event.json_body, event.headers.get("apikey"))


@app.post("/api/data/v1/action/findOne")
def _find_one() -> dict[str, Any]:
    return _act("findOne")


@app.post("/api/data/v1/action/insertOne")
def _insert_one() -> tuple[dict[str, Any], int]:
    return _act("insertOne"), 201


@app.post("/api/data/v1/action/find")
def _find() -> dict[str, Any]:
    return _act("find")


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
