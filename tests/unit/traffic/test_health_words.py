"""What an error says of a call that failed: the status, the function's own words, the database."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from typing import Any, cast

import pytest

from pipeline.errors import CheckFailedError
from pipeline.target import DeployedFunction
from pipeline.traffic import invoke

_DOWN = {
    "statusCode": 503,
    "body": json.dumps({"status": "unavailable", "database": "unavailable", "x": "y" * 900}),
}
_TRACEBACK = """START RequestId: 1 Version: 2
[ERROR]\t2026-11-28T10:00:00.000Z\t1\tGET /api/health
Traceback (most recent call last):
  File "/var/task/lambda_function.py", line 9, in health
    raise RuntimeError("now and then")
RuntimeError: now and then
{"requestId": "1", "status": 500}
END RequestId: 1
"""


def _function(answers: Mapping[str, Any], log: str = "", *, error: bool = False) -> Any:
    """Return a function of which each version returns what `answers` has for it."""

    class Client:
        def invoke(self, *, Qualifier: str, **_: Any) -> dict[str, Any]:
            failed = {"FunctionError": "Unhandled"} if error else {}
            return failed | {
                "Payload": io.BytesIO(json.dumps(answers[Qualifier]).encode()),
                "LogResult": base64.b64encode(log.encode()).decode(),
                "ResponseMetadata": {"RequestId": "1"},
            }

    return DeployedFunction(cast(Any, Client()), "f")


def _refused(function: Any, other: str | None = None) -> str:
    with pytest.raises(CheckFailedError) as refused:
        invoke.require_health(function, "2", other=other)
    return refused.value.message


@pytest.mark.parametrize(
    ("answer", "log", "words"),
    [
        ({"statusCode": 500, "body": "Internal Server Error"}, "", "500 (expected 200): Internal"),
        (
            {"statusCode": 500, "body": '{"error": "boom",\n "code": 7}'},
            "",
            '500 (expected 200): {"error": "boom", "code": 7}',
        ),
        (
            {"statusCode": 500, "body": '{"error": "unexpected"}'},
            _TRACEBACK,
            '500 (expected 200): {"error": "unexpected"}; RuntimeError: now and then',
        ),
    ],
)
def test_a_failed_call_is_said_in_one_line_with_its_status_and_the_functions_words(
    answer: Any, log: str, words: str
) -> None:
    """A body that is no JSON shows its status like any other."""
    message = _refused(_function({"2": answer}, log))
    assert words in message and "\n" not in message and '\\"' not in message


def test_an_error_of_the_runtime_is_said_with_its_message() -> None:
    raised = {"errorType": "KeyError", "errorMessage": "'x'", "stackTrace": ["  File …\n"] * 99}
    message = _refused(_function({"2": raised}, error=True))
    assert "an error (KeyError) (expected 200)" in message and "'x'" in message
    assert len(message) < 300 and "\n" not in message


def test_a_long_answer_is_cut() -> None:
    message = _refused(_function({"2": _DOWN}))
    assert "503 (expected 200)" in message and len(message) < 300 and message.endswith("…")


def test_a_database_that_is_unavailable_for_the_version_that_serves_too_is_named() -> None:
    message = _refused(_function({"2": _DOWN, "1": _DOWN}), other="1")
    assert message == (
        "health check failed: the database is unavailable for v2, and for v1 as well: "
        "no release is to blame"
    )


@pytest.mark.parametrize(
    ("new", "serving"),
    [
        (_DOWN, {"statusCode": 200, "body": "{}"}),
        ({"statusCode": 503, "body": "starting"}, _DOWN),
        ({"statusCode": 500, "body": '{"database": "unavailable"}'}, _DOWN),
    ],
)
def test_a_version_that_fails_by_itself_is_to_blame(new: Any, serving: Any) -> None:
    assert "no release is to blame" not in _refused(_function({"2": new, "1": serving}), other="1")
