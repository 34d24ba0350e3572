"""The floor: pymongo's call and nothing around it. The event holds the fields as they are."""

from typing import Any

from data import ACTIONS


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return ACTIONS[event["action"]](event["fields"])
