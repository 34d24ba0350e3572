"""Call a version and see that it answers as it must."""

from __future__ import annotations

import base64
import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.aws import error_code
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


@dataclass(frozen=True)
class Health:
    """How GET /api/health was answered.

    `outcome` is the HTTP status, or says why there is none; `milliseconds` is how long the call
    took, seen from here, or None if nothing was called.
    """

    outcome: str
    milliseconds: int | None = None

    def in_words(self) -> str:
        return self.outcome + ("" if self.milliseconds is None else f" in {self.milliseconds} ms")


NOTHING_SERVED = Health("nothing served")


def call_health(functions: LambdaClient, function_name: str, qualifier: str) -> Health:
    """Call /api/health of a version (or alias) directly, and return how it answered.

    Raises CheckFailed, with the end of the call's log, unless it answers 200.
    """
    health, payload, log = _call(functions, function_name, qualifier)
    if health.outcome != "200":
        raise CheckFailed(
            f"{function_name}:{qualifier} does not answer GET /api/health with 200, but with "
            f"{health.outcome}: {payload[:500]}\n{log}".rstrip(),
            "The log above is the end of that call's.",
        )
    return health


def look_at_health(functions: LambdaClient, function_name: str, qualifier: str) -> Health:
    """Call /api/health as `call_health` does, for the record only: nothing is raised."""
    try:
        return _call(functions, function_name, qualifier)[0]
    except ClientError as error:
        return Health(f"AWS refused the call ({error_code(error)})")
    except BotoCoreError as error:
        return Health(f"AWS could not be asked ({type(error).__name__})")


def look_at_health_meanwhile(
    functions: LambdaClient, function_name: str, qualifier: str
) -> Future[Health]:
    """Do `look_at_health` in the background: what hangs holds nothing up."""
    pool = ThreadPoolExecutor(max_workers=1)
    found = pool.submit(look_at_health, functions, function_name, qualifier)
    pool.shutdown(wait=False)
    return found


def _call(functions: LambdaClient, function_name: str, qualifier: str) -> tuple[Health, str, str]:
    """Call /api/health; return how it was answered, the payload, and the end of the call's log."""
    started = time.monotonic()
    answer = functions.invoke(
        FunctionName=function_name,
        Qualifier=qualifier,
        LogType="Tail",
        Payload=json.dumps(_HEALTH_EVENT).encode(),
    )
    payload = answer["Payload"].read().decode(errors="replace")
    milliseconds = round(1000 * (time.monotonic() - started))
    outcome = _outcome(payload, failed="FunctionError" in answer)
    log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
    return Health(outcome, milliseconds), payload, log


def _outcome(payload: str, *, failed: bool) -> str:
    """Return the status of a proxy response, or what there is instead of one."""
    try:
        answer: Any = json.loads(payload)
        if failed:
            return f"an error ({str(answer['errorType'])[:80]})"
        json.loads(answer["body"])
        return str(int(answer["statusCode"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return "an error" if failed else "no HTTP response"
