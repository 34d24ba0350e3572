"""The first calls of a new version, by its number, before it gets any traffic."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING
from uuid import uuid4

from pipeline import calls, checks, output
from pipeline.aws import Aws, absent_if
from pipeline.checks import Answer
from pipeline.environment import Environment
from pipeline.errors import CheckFailed

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

# CloudWatch has the log of a call after seconds, seldom after a minute.
_LOG_PATIENCE_S = 90
# AWS's clock and this one's.
_CLOCKS_DIFFER_MS = 10_000


def run(account: Aws, environment: Environment, version: str) -> None:
    """Call health, write and read, and find the calls in the log; raise CheckFailed if one fails.

    For the write and the read a data key is needed, which a parameter holds. Without it they are
    left out, and that is said.
    """
    began_ms = int(time.time() * 1000) - _CLOCKS_DIFFER_MS
    functions, name = account.functions, environment.function_name
    health = checks.healthy_answer(functions, name, version)
    key = data_key(account, environment)
    if key:
        _write_and_read(account, environment, version, key)
    else:
        output.say(
            f"no write and no read is tried: there is no parameter {environment.smoke_parameter}",
            "yellow",
        )
    _find_in_log(account, environment, version, health.request_id, began_ms)


def data_key(account: Aws, environment: Environment) -> str | None:
    """Return the API key for a version's first calls, if there is one."""
    found = absent_if(
        "ParameterNotFound",
        lambda: account.parameters.get_parameter(
            Name=environment.smoke_parameter, WithDecryption=True
        ),
    )
    return found["Parameter"]["Value"] if found else None


def _write_and_read(account: Aws, environment: Environment, version: str, key: str) -> None:
    """Insert a document, find it, delete it."""
    document = {"_id": uuid4().hex, "version": version}

    def must(action: str, expected: str, **fields: object) -> Answer:
        answer = act(account, environment, version, key, action, **fields)
        if answer.health.outcome != expected:
            raise CheckFailed(
                f"version {version} does not answer {action} with {expected}, but with "
                f"{answer.health.outcome}: {answer.payload[:500]}\n{answer.log}".rstrip(),
                f"Does {environment.smoke_parameter} hold a key that may read and write `smoke`?",
            )
        return answer

    must("insertOne", "201", document=document)
    found = must("findOne", "200", filter={"_id": document["_id"]}).body()["document"]
    must("deleteOne", "200", filter={"_id": document["_id"]})
    if found != document:
        raise CheckFailed(f"version {version} wrote {document} and read {found}")


def act(
    account: Aws, environment: Environment, version: str, key: str, action: str, **fields: object
) -> Answer:
    """Have a version perform an action of the Data API in a place of the pipeline's own."""
    functions, name = account.functions, environment.function_name
    source = _data_source(functions, name, version)
    place = {"dataSource": source, "database": "smoke", "collection": "deployments"}
    return checks.call(
        functions,
        name,
        version,
        "POST",
        f"/api/data/v1/action/{action}",
        headers={"apiKey": key, "content-type": "application/json"},
        body=json.dumps(place | fields),
    )


@cache  # a version's configuration never changes
def _data_source(functions: LambdaClient, function_name: str, version: str) -> str:
    """Return the dataSource that a version wants to be named; one that wants none takes any."""
    found = functions.get_function_configuration(FunctionName=function_name, Qualifier=version)
    return found.get("Environment", {}).get("Variables", {}).get("DATA_SOURCE", "mongo-client")


def _find_in_log(
    account: Aws, environment: Environment, version: str, request_id: str, began_ms: int
) -> None:
    """Wait until the log has what people look for in it: a call's start, and what was asked."""
    deadline = time.monotonic() + _LOG_PATIENCE_S
    while True:
        events = calls.events(account, environment, began_ms)
        lines = [(each["logStreamName"], each["message"]) for each in events]
        if _tells(lines, version, request_id):
            return
        if time.monotonic() > deadline:
            raise CheckFailed(
                f"{environment.log_group} has no line `START RequestId: {request_id}` of version "
                f"{version}, or none `Method: GET, Path: /api/health` of that request",
                "May the function write its log, and does the handler print each request?",
            )
        time.sleep(1)


def _tells(lines: Iterable[tuple[str, str]], version: str, request_id: str) -> bool:
    """Say whether lines, each with its stream, tell of a request's start, and what it asked."""
    inside: set[str] = set()
    for stream, line in lines:
        if calls.request_that_starts(line) == request_id and calls.starts_a_call_of(version, line):
            inside.add(stream)
        elif calls.request_that_starts(line):
            inside.discard(stream)
        elif stream in inside and "Method: GET, Path: /api/health" in line:
            return True
    return False
