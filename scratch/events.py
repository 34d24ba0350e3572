"""The events that AWS's services bring HTTP requests in, as they really look; and a key to send.

Each maker takes the same arguments, so that a test can run through all of them.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Protocol

type Event = dict[str, Any]
type Headers = dict[str, str]

KEY = "a-key-for-tests-only"

_SOURCE_IP = "203.0.113.9"
_ACCOUNT = "123456789012"


def api_keys(scopes: dict[str, str]) -> str:
    """Return API_KEYS for keys with their scopes: each key by its hash."""
    return json.dumps(
        {hashlib.sha256(key.encode()).hexdigest(): scope for key, scope in scopes.items()}
    )


class EventMaker(Protocol):
    """What makes an event out of a request."""

    def __call__(
        self, method: str, path: str, headers: Headers, body: str | None, *, base64: bool = False
    ) -> Event: ...


def http_api(
    method: str,
    path: str,
    headers: Headers,
    body: str | None,
    *,
    base64: bool = False,
    stage: str = "$default",
) -> Event:
    """API Gateway, HTTP API, payload format 2.0: paths begin with the stage, if that is named."""
    raw_path = path if stage == "$default" else f"/{stage}{path}"
    event = {
        "version": "2.0",
        "routeKey": "ANY /api/{proxy+}",
        "rawPath": raw_path,
        "rawQueryString": "",
        "headers": {name.lower(): value for name, value in headers.items()},
        "requestContext": {
            "accountId": _ACCOUNT,
            "apiId": "a1b2c3d4e5",
            "domainName": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
            "domainPrefix": "a1b2c3d4e5",
            "http": {
                "method": method,
                "path": raw_path,
                "protocol": "HTTP/1.1",
                "sourceIp": _SOURCE_IP,
                "userAgent": "curl/8.5.0",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "ANY /api/{proxy+}",
            "stage": stage,
            "time": "10/Mar/2026:05:16:23 +0000",
            "timeEpoch": 1773119783000,
        },
        "pathParameters": {"proxy": path.removeprefix("/api/")},
        "isBase64Encoded": base64,
    }
    return event if body is None else {**event, "body": body}


def function_url(
    method: str, path: str, headers: Headers, body: str | None, *, base64: bool = False
) -> Event:
    """Lambda function URL: payload format 2.0 with a route of its own."""
    event = http_api(method, path, headers, body, base64=base64)
    host = "abcdefghijklmnop.lambda-url.eu-central-1.on.aws"
    event["routeKey"] = event["requestContext"]["routeKey"] = "$default"
    event["requestContext"] |= {"accountId": "anonymous", "domainName": host}
    del event["pathParameters"]
    return event


def rest_api(
    method: str, path: str, headers: Headers, body: str | None, *, base64: bool = False
) -> Event:
    """API Gateway, REST API, payload format 1.0: the path has no stage, and absent is null."""
    return {
        "resource": "/api/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers or None,
        "multiValueHeaders": {name: [value] for name, value in headers.items()} or None,
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": path.removeprefix("/api/")},
        "stageVariables": None,
        "requestContext": {
            "resourceId": "0hjqhb",
            "resourcePath": "/api/{proxy+}",
            "httpMethod": method,
            "path": f"/prod{path}",
            "accountId": _ACCOUNT,
            "protocol": "HTTP/1.1",
            "stage": "prod",
            "identity": {"sourceIp": _SOURCE_IP, "userAgent": "curl/8.5.0"},
            "requestId": "f5b1f5a0-1c3e-4b1e-9a53-3b3d2c1f0e9d",
            "apiId": "a1b2c3d4e5",
        },
        "body": body,
        "isBase64Encoded": base64,
    }


ALL: list[EventMaker] = [http_api, function_url, rest_api]
