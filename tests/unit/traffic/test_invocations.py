"""Calls as the log has them, in both of Lambda's formats."""

from __future__ import annotations

import json

from pipeline.traffic import invocations
from pipeline.traffic.invocations import Invocation

# As Lambda writes them: the developer guide's "View CloudWatch logs", and "Log formats".
_TEXT = [
    "INIT_START Runtime Version: python:3.13.v1",
    "START RequestId: a-1 Version: 7",
    "Method: GET, Path: /api/health",
    '{"requestId": "a-1", "status": 200, "functionVersion": "7"}',
    "END RequestId: a-1",
    "REPORT RequestId: a-1\tDuration: 12.50 ms\tBilled Duration: 13 ms\tMemory Size: 256 MB\t"
    "Max Memory Used: 71 MB\tInit Duration: 190.40 ms\t",
]


def _read(lines: list[str]) -> list[Invocation]:
    return list(invocations.in_lines(enumerate(lines, 1000)))


def _text(*between: str, end: str = "") -> list[str]:
    report = "REPORT RequestId: b\tDuration: 3 ms\tMax Memory Used: 70 MB\t"
    return ["START RequestId: b Version: 7", *between, report + end]


def _answer(status: int, path: str = "/api/health") -> str:
    return json.dumps({"requestId": "b", "path": path, "status": status, "functionVersion": "7"})


def test_a_call_is_read_from_text() -> None:
    [call] = _read(_TEXT)
    assert call == Invocation("a-1", "7", 1001, 12.5, 71, 190.4, failed=False)


def test_a_call_is_read_from_json() -> None:
    start = {"type": "platform.start", "record": {"requestId": "a-1", "version": "7"}}
    metrics = {"durationMs": 12.5, "maxMemoryUsedMB": 71, "initDurationMs": 190.4}
    report = {"requestId": "a-1", "metrics": metrics, "status": "success"}
    answer = '{"requestId": "a-1", "status": 200, "functionVersion": "7"}'
    lines = [json.dumps(start), '{"platform.start": "not one"}', answer, "{no JSON}"]
    ends = [
        {"type": "platform.report", "record": report | {"status": s}} for s in ("success", "error")
    ]
    [good], [bad] = (_read([*lines, json.dumps(end)]) for end in ends)
    assert good == Invocation("a-1", "7", 1000, 12.5, 71, 190.4, failed=False)
    assert bad.failed


def test_what_went_wrong_counts_as_failed() -> None:
    """A status of 5xx, an exception, an end before its time; a 4xx is the caller's."""
    for failed, lines in [
        (False, _text(_answer(200))),
        (False, _text(_answer(404))),
        (False, _text(_answer(404, '/"status": 500, "errorType": "x"'))),
        (False, _text("[ERROR]\t2026-11-23T22:00:00.000Z\tb\tsaid by the handler, which went on")),
        (True, _text(_answer(503))),
        (True, _text('{"level": "ERROR", "errorType": "KeyError", "requestId": "b"}')),
        (True, _text("[ERROR] KeyError: 'x'\nTraceback (most recent call last):")),
        (True, _text(end="Status: timeout")),
        (True, _text(end="Status: error\tError Type: Runtime.ExitError")),
    ]:
        [call] = _read(lines)
        assert (call.failed, call.init_ms) == (failed, None), lines


def test_a_call_without_its_line_is_unknown() -> None:
    """Its own line is missing, is glued to other text, or names another request."""
    for known, lines in [
        (True, _text(_answer(200))),
        (True, _text("[ERROR] KeyError: 'x'")),
        (True, _text(end="Status: timeout")),
        (False, _text()),
        (False, _text("text without a line break" + _answer(500))),
        (False, _text(_answer(200).replace('"b"', '"another"'))),
        (False, _text('{"requestId": "b", "message": "JSON of the handler\'s own"}')),
    ]:
        assert [call.known for call in _read(lines)] == [known], lines


def test_the_handlers_own_500_after_a_logged_exception_is_an_error() -> None:
    """In text, and where the handler's logger writes JSON with an exception's type itself."""
    logged = "[ERROR]\t2026-11-23T22:00:00.000Z\tb\tcaught\nTraceback (most recent call last):"
    own = '{"level": "ERROR", "requestId": "b", "message": "caught", "exception": "KeyError"}'
    for line in (logged, own):
        [call] = _read(_text(line, _answer(500)))
        assert (call.failed, call.known) == (True, True), line


def test_one_call_knows_nothing_of_the_other() -> None:
    good = [line.replace("RequestId: b", "RequestId: c") for line in _text()]
    first, second = _read([*_text(_answer(500)), *good])
    assert (first.failed, second.failed) == (True, False)


def test_a_call_that_has_not_ended_is_none_yet() -> None:
    assert _read(_TEXT[:-1]) == []


def test_a_report_whose_start_is_not_in_the_log_has_no_version() -> None:
    """The stretch that was read begins in the midst of a call."""
    [call] = _read(_TEXT[-1:])
    assert call.version == ""
