"""A function that fails: its caller learns how, and the next call works."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.localcloud.aws import Answer, Aws
from tests.localcloud.clouds import eventually

pytestmark = pytest.mark.integration

SOURCE = """
    import os
    import time

    def handler(event, context):
        match event:
            case "raise":
                raise LookupError("nothing there")
            case "hang":
                time.sleep(60)
            case "exit":
                print("last words", end="", flush=True)
                os._exit(3)
            case "too much":
                return "x" * 7_000_000
            case "strange":
                return {1, 2}
        return "fine"
"""


def _fail(aws: Aws, how: str, timeout_s: int = 60) -> Answer:
    """Let a function fail; check that its next call works and that its log is its own."""
    name = aws.function(SOURCE, Timeout=timeout_s)
    failed = aws.call(name, how)
    assert failed.error == "Unhandled"
    answer = aws.call(name, "well")
    assert (answer.payload, answer.error) == ("fine", None)
    assert answer.log.count("\n") == 3 and answer.log.startswith("START RequestId: ")
    assert _request_id(answer) != _request_id(failed)
    return failed


def test_an_exception_comes_with_type_message_and_stack(aws: Aws) -> None:
    """The payload says what was raised and where; the log holds the traceback."""
    answer = _fail(aws, "raise")
    assert answer.payload["errorType"] == "LookupError"
    assert answer.payload["errorMessage"] == "nothing there"
    assert "raise LookupError" in answer.payload["stackTrace"][-1]
    assert "[ERROR] LookupError: nothing there\nTraceback (most recent call last):" in answer.log


def test_a_timeout_is_reported(aws: Aws) -> None:
    """The function is ended at its time limit, and payload, log and REPORT say so."""
    answer = _fail(aws, "hang", timeout_s=3)
    assert answer.payload["errorType"] == "Sandbox.Timedout"
    assert answer.payload["errorMessage"].endswith("Error: Task timed out after 3.00 seconds")
    assert "Task timed out after 3.00 seconds\nEND RequestId: " in answer.log
    assert re.search(r"REPORT .*\tDuration: 3000.00 ms\t.*Status: timeout", answer.log)


def test_an_exit_is_reported_with_the_last_words(aws: Aws) -> None:
    """A runtime that exits is Runtime.ExitError; what was printed before is not lost."""
    answer = _fail(aws, "exit")
    assert answer.payload["errorType"] == "Runtime.ExitError"
    assert answer.payload["errorMessage"].endswith("exited with error: exit status 3")
    assert "\nlast words\n" in answer.log
    assert re.search(r"REPORT .*Status: error", answer.log)


def test_an_answer_over_6_mb_is_an_error(aws: Aws) -> None:
    """What the function returned is too large for Lambda, and the caller learns that."""
    answer = _fail(aws, "too much")
    assert answer.payload["errorType"] == "Function.ResponseSizeTooLarge"


def test_a_result_that_is_not_json_is_an_error(aws: Aws) -> None:
    """A result that cannot be marshalled is an error of the function."""
    answer = _fail(aws, "strange")
    assert answer.payload["errorType"] == "Runtime.MarshalError"


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("import nothing_like_it", "Runtime.ImportModuleError"),
        ("def handler(:", "Runtime.UserCodeSyntaxError"),
        ("other = None", "Runtime.HandlerNotFound"),
        ("import os; os._exit(5)", "Runtime.ExitError"),
    ],
)
def test_code_that_does_not_load_is_an_error(aws: Aws, source: str, kind: str) -> None:
    """An error before the handler is reached comes with its type, at each call."""
    name = aws.function(source)
    for _ in range(2):
        answer = aws.call(name)
        assert (answer.error, answer.payload["errorType"]) == ("Unhandled", kind)


def test_an_answer_that_looks_like_an_error_is_none(aws: Aws) -> None:
    """A function may return {"errorType": …} itself; that is a success."""
    name = aws.function("def handler(event, context): return {'errorType': 'mine'}")
    answer = aws.call(name)
    assert (answer.error, answer.payload) == (None, {"errorType": "mine"})


def _request_id(answer: Answer) -> str:
    [request_id] = set(re.findall(r"^(?:START|END|REPORT) RequestId: (\S+)", answer.log, re.M))
    return str(request_id)


def test_a_runtime_over_its_memory_is_killed(aws: Aws) -> None:
    """As Lambda does it: the call fails, the report says how, and the next call works."""
    name = aws.function("""
        import time

        def handler(event, context):
            held = b"x" * (event * 1_000_000)
            time.sleep(1)
            return len(held)
    """)
    assert aws.call(name, 50).payload == 50_000_000
    answer = aws.call(name, 200)
    assert answer.error == "Unhandled" and answer.payload["errorType"] == "Runtime.ExitError"
    assert answer.payload["errorMessage"].endswith("signal: killed")
    assert re.search(r"REPORT .*Status: error\tError Type: Runtime.ExitError", answer.log)
    assert aws.call(name, 50).payload == 50_000_000


def test_calls_over_the_reserved_concurrency_are_throttled(aws: Aws, tmp_path: Path) -> None:
    """TooManyRequestsException, counted as a throttle and not as an invocation."""
    source = """
        import pathlib, time

        def handler(event, context):
            folder = pathlib.Path(event)
            (folder / "begun").touch()
            while not (folder / "end").exists():
                time.sleep(0.02)
    """
    name = aws.function(source, Timeout=900)
    aws.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    with ThreadPoolExecutor(1) as other:
        running = other.submit(aws.call, name, str(tmp_path))
        try:
            assert eventually((tmp_path / "begun").exists)
            with pytest.raises(aws.functions.exceptions.TooManyRequestsException):
                aws.call(name, str(tmp_path))
        finally:
            (tmp_path / "end").touch()
        assert running.result().error is None
    assert aws.call(name, str(tmp_path)).error is None
    assert aws.total("Throttles", FunctionName=name) == 1
    assert aws.total("Invocations", FunctionName=name) == 2


def test_a_logged_exception_is_one_event_and_the_next_line_another(aws: Aws) -> None:
    """AWS's runtime frames each record: what is printed after a traceback is not glued to it."""
    name = aws.function("""
        import json
        import logging

        def handler(event, context):
            try:
                raise LookupError("now and then")
            except LookupError:
                logging.exception("caught")
            print(json.dumps({"requestId": context.aws_request_id, "status": 500}))
            logging.error("START RequestId: of nobody\\nlarge " + "x" * 200_000)
            print("no line break", end="")
            logging.error("the last")
        """)
    answer = aws.call(name, "well")
    events = aws.logged(f"/aws/lambda/{name}")
    start, traceback, line, large, text, last, end, report = events
    assert traceback.startswith("[ERROR]\t") and traceback.endswith("LookupError: now and then")
    assert line == json.dumps({"requestId": _request_id(answer), "status": 500})
    assert large.endswith("x" * 200_000) and text == "no line break"
    assert last.endswith("\tthe last")
    assert start.startswith("START ") and end.startswith("END ") and report.startswith("REPORT ")
