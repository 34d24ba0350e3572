"""Reading calls out of the log as it comes: late, in any order, in pages, and in great numbers."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.traffic import log_reader
from pipeline.traffic.invocations import Invocation, Invocations
from pipeline.config import Environment
from pipeline.traffic.log_reader import LogReader
from pipeline.target import Target

_STAGING = Environment("staging")
_BEGAN = 1_800_000_000_000
_STREAM = "2026/11/23/[7]a"


def _call(request_id: str, at: int, status: int = 200, version: str = "7") -> list[Any]:
    """The events of one call: start, the handler's line and the report, in their order."""
    stream = f"2026/11/23/[{version}]a"
    answer = {"requestId": request_id, "status": status, "functionVersion": version}
    lines = [
        (at, f"START RequestId: {request_id} Version: {version}"),
        (at + 4, json.dumps(answer)),
        (at + 4, f"REPORT RequestId: {request_id}\tDuration: 4 ms\tMax Memory Used: 70 MB\t"),
    ]
    return [
        {
            "eventId": f"{request_id}-{number}",
            "timestamp": time_ms,
            "logStreamName": stream,
            "message": line,
        }
        for number, (time_ms, line) in enumerate(lines)
    ]


class _Logs:
    """CloudWatch Logs with these events, as far as they have arrived; counts the pages."""

    def __init__(self, events: list[Any], page: int = 10_000) -> None:
        self.events, self.page = events, page
        self.pages = 0

    def get_paginator(self, name: str) -> Any:
        assert name == "filter_log_events"
        return SimpleNamespace(paginate=self._paginate)

    def _paginate(self, *, startTime: int, **_: Any) -> Iterator[Any]:
        left = iter([event for event in self.events if event["timestamp"] >= startTime])
        while True:
            self.pages += 1
            yield {"events": (found := list(islice(left, self.page)))}
            if not found:
                return


def _reading(logs: Any) -> LogReader:
    account: Any = SimpleNamespace(logs=logs)
    return LogReader(Target(account, _STAGING), _BEGAN)


def test_lines_of_a_call_are_joined_by_its_request_whatever_their_order() -> None:
    """The first call's report stands behind the second one's start and failure."""
    events = [*_call("a", _BEGAN), *_call("b", _BEGAN + 4, status=503)]
    for seed in range(50):
        calls = Invocations()
        for each in random.Random(seed).sample(events, len(events)):
            calls.take(each["logStreamName"], each["timestamp"], each["message"])
        assert {call.request_id: call.failed for call in calls.ended()} == {"a": False, "b": True}


@pytest.mark.parametrize("seed", range(20))
def test_a_failure_that_names_no_request_is_that_of_the_call_under_way(seed: int) -> None:
    """In the text format, an exception of the function's; here in the millisecond of the change."""
    good, after = _call("good", _BEGAN), _call("after", _BEGAN + 10)
    raised = [each for each in _call("raised", _BEGAN + 4) if "status" not in each["message"]]
    raised[1]["timestamp"] += 2
    error = {**raised[1], "timestamp": _BEGAN + 4, "message": "[ERROR] KeyError: 'x'\nTraceback"}
    calls = Invocations()
    for each in random.Random(seed).sample([*good, *raised, error, *after], 9):
        calls.take(each["logStreamName"], each["timestamp"], each["message"])
    failed = {call.request_id: call.failed for call in calls.ended()}
    assert failed == {"good": False, "raised": True, "after": False}


def test_a_start_that_never_comes_leaves_the_version_of_the_stream() -> None:
    calls = Invocations()
    for each in _call("a", _BEGAN)[1:]:
        calls.take("2026/11/23/mongo-client[12]0af3", each["timestamp"], each["message"])
    assert [call.version for call in calls.ended()] == ["12"]


def test_what_comes_late_is_read_by_the_next_look_and_counted_once() -> None:
    """A late line may show that a call failed."""
    events = [event for number in range(100) for event in _call(f"r{number}", _BEGAN + number)]
    late = _call("late", _BEGAN + 50, status=500)
    logs = _Logs([*events, late[0], late[2]])
    read = _reading(logs)
    first = read.look(_BEGAN + 5_000)
    assert len(first) == 101 and not any(call.failed for call in first)
    logs.events.append(late[1])
    second = read.look(_BEGAN + 10_000)
    assert len(second) == 101
    assert [call.request_id for call in second if call.failed] == ["late"]


def test_a_look_reads_on_from_the_last_one() -> None:
    """With an overlap for what comes late, and not from the beginning."""
    minutes = [
        event
        for minute in range(5)
        for number in range(1_000)
        for event in _call(f"{minute}-{number}", _BEGAN + minute * 60_000 + number)
    ]
    logs = _Logs(minutes, page=100)
    read, pages = _reading(logs), []
    for minute in range(5):
        logs.events = minutes[: 3_000 * (minute + 1)]
        before = logs.pages
        assert len(read.look(_BEGAN + (minute + 1) * 60_000)) == 1_000 * (minute + 1)
        pages.append(logs.pages - before)
    assert pages == [31] * 5


def test_pages_that_are_empty_or_short_are_gone_through() -> None:
    class Sparse(_Logs):
        def _paginate(self, **limits: Any) -> Iterator[Any]:
            for page in super()._paginate(**limits):
                yield {"events": []}
                yield page

    read = _reading(Sparse([*_call("a", _BEGAN), *_call("b", _BEGAN + 9)], page=2))
    assert len(read.look(_BEGAN + 1_000)) == 2


class _Busy:
    """A function that is called 2,000 times a second, a tenth of it the canary, without end."""

    a_second = 2_000

    def __init__(self) -> None:
        self.now_ms = _BEGAN
        self.pages = 0

    def get_paginator(self, _: str) -> Any:
        return SimpleNamespace(paginate=self._paginate)

    def _paginate(self, *, startTime: int, **_: Any) -> Iterator[Any]:
        events = self._events(startTime)
        while found := list(islice(events, 3_500)):  # about 1 MB
            self.pages += 1
            yield {"events": found}

    def _events(self, since_ms: int) -> Iterator[Any]:
        a_millisecond = self.a_second // 1000
        for at in range(since_ms, self.now_ms):
            for number in range(a_millisecond):
                key = at * a_millisecond + number
                # From the third minute on the canary fails.
                canary = key % 10 == 0
                bad = canary and at >= _BEGAN + 120_000
                yield from _call(str(key), at, 503 if bad else 200, "8" if canary else "7")


def test_at_2000_requests_a_second_pages_and_memory_are_bounded() -> None:
    """A step of three minutes is a million events; the newest of both versions are compared."""
    logs = _Busy()
    read = _reading(logs)
    seen: list[Invocation] = []
    for minute in range(1, 4):
        logs.now_ms, before = _BEGAN + minute * 60_000, logs.pages
        seen = read.look(logs.now_ms)
        assert logs.pages - before <= 50
        # All that is held.
        assert len(read._calls) <= log_reader._MOST_CALLS
        assert len(read._seen) <= log_reader._MOST_EVENTS
    canary, live = ([call for call in seen if call.version == each] for each in ("8", "7"))
    assert len(canary) > 4_000 and 8.5 < len(live) / len(canary) < 9.5
    assert max(call.began_ms for call in seen) > logs.now_ms - 5_000
    assert all(call.failed for call in canary) and not any(call.failed for call in live)
