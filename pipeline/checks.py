"""Call a version and see that it answers as it must."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from pipeline.errors import CheckFailed

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

# What API Gateway sends for GET /api/health, payload format version 2.0.
_HEALTH_EVENT = {
    "version": "2.0",
    "routeKey": "ANY /api/{proxy+}",
    "rawPath": "/api/health",
    "rawQueryString": "",
    "headers": {"accept": "application/json", "user-agent": "pipeline"},
    "requestContext": {
        "http": {
            "method": "GET",
            "path": "/api/health",
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "pipeline",
        },
        "requestId": "pipeline-health-check",
        "stage": "$default",
    },
    "isBase64Encoded": False,
}


def call_health(functions: LambdaClient, function_name: str, qualifier: str) -> dict[str, Any]:
    """Call /api/health of a version (or alias) directly, and return its body.

    Raises CheckFailed, with the end of the call's log, unless it answers 200.
    """
    answer = functions.invoke(
        FunctionName=function_name,
        Qualifier=qualifier,
        LogType="Tail",
        Payload=json.dumps(_HEALTH_EVENT).encode(),
    )
    payload = answer["Payload"].read().decode()
    status, body = _http(payload)
    if "FunctionError" in answer or status != 200:
        log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
        raise CheckFailed(
            f"{function_name}:{qualifier} does not answer GET /api/health with 200, but with "
            f"{status or 'an error'}: {payload[:500]}\n{log}".rstrip(),
            "The log above is the end of that call's.",
        )
    return body


def _http(payload: str) -> tuple[int | None, dict[str, Any]]:
    """Return the status and the JSON body of a proxy response, as far as it is one."""
    try:
        answer = json.loads(payload)
        return int(answer["statusCode"]), json.loads(answer["body"])
    except (ValueError, KeyError, TypeError):
        return None, {}
