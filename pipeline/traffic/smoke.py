"""The first calls of a new version, by its number, before it gets any traffic."""

from __future__ import annotations

import logging
import time
from functools import cache
from uuid import uuid4

from pipeline import labels
from pipeline.traffic import invocations, invoke, log_reader
from pipeline.aws import absent_if
from pipeline.traffic.invoke import Response
from pipeline.errors import CheckFailedError
from pipeline.traffic.smoke_calls import SMOKE_CALLS, SmokeCall
from pipeline.target import DeployedFunction, Target

log = logging.getLogger(__name__)

# CloudWatch has the log of a call after seconds, seldom after a minute.
_LOG_PATIENCE_S = 90
_ROLE_PATIENCE_S = 60
_REQUEST_LINE = "Method: GET, Path: /api/health"
# AWS's clock and this one's.
_CLOCKS_DIFFER_MS = 10_000


def run(target: Target, version: str, *, role_changed: bool, serving: str | None) -> None:
    """Call health, make the function's own calls, and find health's in the log.

    A change of the function's role takes seconds to hold everywhere ("Troubleshoot IAM: changes
    that I make are not always immediately visible"): until then the function may answer 503, for
    it cannot read its secrets.

    Raises CheckFailedError if one fails; if that is the database, which the version that is
    `serving` cannot reach either, the error names it. Its own calls need a key, which a parameter
    holds. Without it they are skipped, with a notice.
    """
    began_ms = int(time.time() * 1000) - _CLOCKS_DIFFER_MS
    function = target.function
    patience_s = _ROLE_PATIENCE_S if role_changed else 0
    health = invoke.require_healthy_response(
        function, version, other=serving, patience_s=patience_s
    )
    key = data_key(target)
    if key:
        _call_all(target, version, key)
    elif SMOKE_CALLS:
        log.warning(
            "the smoke test only calls the health check: the parameter "
            f"{target.environment.smoke_parameter} does not exist"
        )
    _find_in_log(target, version, health.request_id, began_ms)


def data_key(target: Target) -> str | None:
    """Return the API key for a version's first calls, if there is one."""
    found = absent_if(
        "ParameterNotFound",
        lambda: target.aws.parameters.get_parameter(
            Name=target.environment.smoke_parameter, WithDecryption=True
        ),
    )
    return found["Parameter"]["Value"] if found else None


def _call_all(target: Target, version: str, key: str) -> None:
    """Make the function's own calls in order; raise CheckFailedError if a response is wrong."""
    new_id = uuid4().hex
    for smoke_call in SMOKE_CALLS:
        wanted = smoke_call.filled({"ID": new_id})
        answer = make(target, version, key, wanted)
        status = answer.health.outcome
        if status != str(wanted.status):
            raise CheckFailedError(
                f"smoke test failed: {wanted.request} on {labels.version(version)} returned "
                f"{status} (expected {wanted.status}): {answer.in_words()}",
                (
                    f"Check the rights of the key in {target.environment.smoke_parameter}."
                    if status in ("401", "403")
                    else "See the function's log."
                ),
            )
        if not wanted.is_held_by(answer.response()):
            raise CheckFailedError(
                f"smoke test failed: {wanted.request} on {labels.version(version)} returned no "
                f"{wanted.holds}: {answer.in_words()}",
                "The expected members are in [[smoke]] of function.toml.",
            )


def make(target: Target, version: str, key: str, call: SmokeCall) -> Response:
    """Make one of the function's own calls to a version."""
    function = target.function
    filled = call.filled(_variables(function, version))
    return invoke.call(
        function,
        version,
        filled.method,
        filled.path,
        headers={"apiKey": key, "content-type": "application/json"},
        body=filled.sent(),
    )


@cache  # a version's configuration never changes
def _variables(function: DeployedFunction, version: str) -> dict[str, str]:
    """Return the variables that a version runs with."""
    found = function.client.get_function_configuration(
        FunctionName=function.name, Qualifier=version
    )
    return found.get("Environment", {}).get("Variables", {})


def _find_in_log(target: Target, version: str, request_id: str, began_ms: int) -> None:
    """Wait until the log has what people look for in it: a call's start, and the request line."""
    deadline = time.monotonic() + _LOG_PATIENCE_S
    stream = ""
    while True:
        stream = stream or _stream_of(target, version, request_id, began_ms)
        pattern = f'"{_REQUEST_LINE}"'
        if stream and any(log_reader.events(target, began_ms, None, pattern, stream)):
            return
        if time.monotonic() > deadline:
            raise CheckFailedError(
                f"{target.environment.log_group} has no line `START RequestId: {request_id}` of "
                f"{labels.version(version)}, or no `{_REQUEST_LINE}` with it",
                "Check that the function may write its log, and the handler prints each request.",
            )
        time.sleep(1)


def _stream_of(target: Target, version: str, request_id: str, since_ms: int) -> str:
    """Return the stream in which a request of a version started; empty if it is not there yet."""
    for event in log_reader.events(target, since_ms, None, f'"{request_id}"'):
        line = event["message"]
        if invocations.request_that_starts(line) == request_id and invocations.starts_a_call_of(
            version, line
        ):
            return str(event["logStreamName"])
    return ""
