"""The three actions with Powertools for AWS Lambda's resolver of HTTP API events."""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from data import find, find_one, insert_one, to_json

app = APIGatewayHttpResolver(serializer=to_json)


@app.post("/api/data/v1/action/findOne")
def _find_one() -> dict[str, Any]:
    return find_one(app.current_event.json_body)


@app.post("/api/data/v1/action/insertOne")
def _insert_one() -> tuple[dict[str, Any], int]:
    return insert_one(app.current_event.json_body), 201


@app.post("/api/data/v1/action/find")
def _find() -> dict[str, Any]:
    return find(app.current_event.json_body)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
