"""Lambda's Invoke, which moto leaves to Docker: here it runs the code.

Each function that fills a gap of moto 5.2.5 names it.
"""

from __future__ import annotations

import base64
import json
import threading
from typing import Any
from urllib.parse import parse_qs, unquote

import moto.core.responses
from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.responses import LambdaResponse

from localcloud.conditions import VersionInactiveError
from localcloud.runtime.invoker import MAX_EVENT_BYTES, Functions, Target, ThrottledError

_LOG_TAIL_BYTES = 4096
_REQUEST_ID = "x-amzn-requestid"


def fill(functions: Functions) -> None:
    """Fill the gaps of Invoke; `functions` run the code."""
    _invoke_runs_the_code(functions)
    _answers_keep_their_request_id()


def refusal(status: int, kind: str, message: str) -> LambdaClientError:
    """Return what Lambda refuses with, as moto raises it."""
    refused = LambdaClientError(kind, message)
    refused.code = status
    return refused


def _invoke_runs_the_code(functions: Functions) -> None:
    """moto needs Docker to run code, loses the qualifier, and knows no alias weights."""

    def invoke(self: LambdaResponse) -> tuple[int, dict[str, str], str | bytes]:
        name = unquote(self.path.rstrip("/").rsplit("/", 2)[-2])
        # moto's own way to read parameters would take them from the event, too.
        [qualifier] = parse_qs(self.parsed_url.query).get("Qualifier", [None])
        target = functions.resolve(self.backend, name, qualifier)
        event = _checked(self.body.encode() or b"{}")
        kind = self.headers.get("X-Amz-Invocation-Type") or "RequestResponse"
        if kind == "DryRun":
            return 204, {"status": "204"}, ""
        if kind == "Event":
            arguments = (self.backend, target, event)
            threading.Thread(target=functions.invoke, args=arguments, daemon=True).start()
            return 202, {"status": "202"}, ""
        with_tail = self.headers.get("X-Amz-Log-Type") == "Tail"
        return _answer(functions, self.backend, target, event, with_tail)

    LambdaResponse.invoke = invoke


def _checked(event: bytes) -> bytes:
    """Return an event that Lambda takes; refuse any other as Lambda does."""
    if len(event) > MAX_EVENT_BYTES:
        raise refusal(
            413,
            "RequestTooLargeException",
            f"{len(event)} byte payload is too large for the RequestResponse invocation type "
            f"(limit {MAX_EVENT_BYTES} bytes)",
        )
    try:
        json.loads(event)
    except ValueError as problem:
        raise LambdaClientError(
            "InvalidRequestContentException",
            f"Could not parse request body into json: {problem}",
        ) from None
    return event


def _answer(
    functions: Functions, backend: Any, target: Target, event: bytes, with_tail: bool
) -> tuple[int, dict[str, str], bytes]:
    try:
        invocation = functions.invoke(backend, target, event)
    except ThrottledError:
        raise refusal(429, "TooManyRequestsException", "Rate Exceeded.") from None
    except VersionInactiveError:
        raise refusal(
            409,
            "SnapStartNotReadyException",
            "Lambda is initializing your function. It will be ready to invoke once your function "
            "state becomes ACTIVE.",
        ) from None
    headers = {
        "content-type": "application/json",
        _REQUEST_ID: invocation.request_id,
        "X-Amz-Executed-Version": target.executed_version,
    }
    if invocation.function_error:
        headers["X-Amz-Function-Error"] = invocation.function_error
    if with_tail:
        tail = ("\n".join(invocation.log) + "\n").encode()[-_LOG_TAIL_BYTES:]
        headers["X-Amz-Log-Result"] = base64.b64encode(tail).decode()
    return 200, headers, invocation.payload


def _answers_keep_their_request_id() -> None:
    """moto makes one up for every answer, also where it must be the one that the log has."""
    stock = moto.core.responses.gen_amzn_requestid_long

    def keep(headers: dict[str, str]) -> str:
        return headers.get(_REQUEST_ID) or stock(headers)

    moto.core.responses.gen_amzn_requestid_long = keep
