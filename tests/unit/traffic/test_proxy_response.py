"""What a function may return, and what its caller gets then: as API Gateway takes it."""

from __future__ import annotations

import base64
import gzip
import io
import json
from typing import Any, cast

import pytest

from pipeline.errors import CheckFailedError
from pipeline.traffic import invoke
from pipeline.traffic.proxy_response import ProxyResponse
from pipeline.traffic.smoke_calls import SmokeCall
from pipeline.target import DeployedFunction

_JSON = b'{"ok": true}'


def _base64(body: bytes) -> str:
    return base64.b64encode(body).decode()


@pytest.mark.parametrize(
    ("returned", "status", "body"),
    [
        ({"statusCode": 200, "body": _JSON.decode()}, 200, _JSON),
        ({"statusCode": "201", "body": "made"}, 201, b"made"),
        ({"statusCode": 204}, 204, b""),
        ({"statusCode": 200, "body": None, "headers": None}, 200, b""),
        ({"ok": True}, 200, _JSON),
        ([1, 2], 200, b"[1, 2]"),
        ("hello", 200, b"hello"),
        (None, 200, b"null"),
        ({"statusCode": 200, "body": _base64(_JSON), "isBase64Encoded": True}, 200, _JSON),
        (
            {
                "statusCode": 200,
                "headers": {"Content-Encoding": "gzip", "Content-Type": "application/json"},
                "body": _base64(gzip.compress(_JSON)),
                "isBase64Encoded": True,
            },
            200,
            _JSON,
        ),
        ({"statusCode": 500, "body": "Internal Server Error"}, 500, b"Internal Server Error"),
    ],
)
def test_what_a_function_returns_is_what_its_caller_gets(
    returned: object, status: int, body: bytes
) -> None:
    """A bare value, a body in base64 and a body that is no JSON are answers like any other."""
    assert ProxyResponse.from_payload(json.dumps(returned)) == ProxyResponse(status, body)
    assert invoke.call(DeployedFunction(_lambda(returned), "f"), "1").health.outcome == str(status)


@pytest.mark.parametrize(
    "returned",
    [
        {"statusCode": "many"},
        {"statusCode": None},
        {"statusCode": float("inf")},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "body": "a", "isBase64Encoded": True},
        {"statusCode": 200, "body": "a", "headers": {"content-encoding": "gzip"}},
        {
            "statusCode": 200,
            "body": _base64(gzip.compress(_JSON)[:-9]),
            "isBase64Encoded": True,
            "headers": {"content-encoding": "gzip"},
        },
        {"statusCode": 200, "headers": "none"},
    ],
)
def test_what_api_gateway_refuses_is_no_response(returned: object) -> None:
    with pytest.raises(ValueError, match="not a response that API Gateway accepts"):
        ProxyResponse.from_payload(json.dumps(returned))
    with pytest.raises(CheckFailedError, match="returned no HTTP response"):
        invoke.require_health(DeployedFunction(_lambda(returned), "f"), "1")


@pytest.mark.parametrize(
    ("body", "held"),
    [(b'{"ok": true, "more": 1}', True), (b'{"ok": 1.5}', False), (b"[]", False), (b"<a>", False)],
)
def test_what_an_answer_must_hold_is_looked_for_in_json(body: bytes, held: bool) -> None:
    call = SmokeCall("GET /api/orders", 200, holds={"ok": True})
    assert call.is_held_by(ProxyResponse(200, body)) == held
    assert SmokeCall("GET /api/orders", 200).is_held_by(ProxyResponse(200, body))


def test_a_request_without_a_body_has_none() -> None:
    """API Gateway leaves it out, and gives what {proxy+} stands for."""
    functions = _lambda({"ok": True})
    invoke.call(DeployedFunction(functions, "f"), "1")
    invoke.call(DeployedFunction(functions, "f"), "1", "POST", "/api/a/b", body="{}")
    get, post = cast(Any, functions).events
    assert "body" not in get and get["pathParameters"] == {"proxy": "health"}
    assert post["body"] == "{}" and post["pathParameters"] == {"proxy": "a/b"}


def _lambda(returned: object) -> Any:
    """Return a client of Lambda in which each call returns the same."""

    class _Client:
        def __init__(self) -> None:
            self.events: list[Any] = []

        def invoke(self, *, Payload: bytes, **_: Any) -> dict[str, Any]:
            self.events.append(json.loads(Payload))
            payload = io.BytesIO(json.dumps(returned).encode())
            return {"Payload": payload, "ResponseMetadata": {"RequestId": "r"}}

    return _Client()
