"""Reading the function's log: its events, and the calls that they record.

FilterLogEvents gives a page of 10,000 events or 1 MB at most, some pages are empty, and an account
has a few calls of it a second. Events come seconds late. Source: its API reference, and "CloudWatch
Logs quotas".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any
from pipeline.traffic.invocations import Invocation, Invocations
from pipeline.target import Target

# Any of these terms: "Filter pattern syntax" in the CloudWatch Logs user guide.
_PATTERN = (
    '?"START RequestId" ?"REPORT RequestId" ?"platform." ?"functionVersion" ?"[ERROR]" ?"errorType"'
)
_OVERLAP_MS = 15_000
# What one look takes in at most, and what is kept of all looks.
_MOST_EVENTS = 150_000
_MOST_PAGES = 100
_MOST_CALLS = 50_000


class LogReader:
    """Reads calls on from where it was left, and holds the newest of them.

    Where there are more than one look can take in, the next one begins later: what is read is then
    a sample of the time between, the same for all versions.
    """

    def __init__(self, target: Target, since_ms: int) -> None:
        self._target = target
        self._since_ms = self._next_ms = since_ms
        # How much time a look covers, where there is more than it can take in.
        self._span_ms: int | None = None
        self._calls = Invocations()
        self._seen: dict[str, int] = {}

    def look(self, now_ms: int) -> list[Invocation]:
        """Read what has come since the last look, and return the calls that have ended."""
        begin_ms = self._next_ms
        if self._span_ms:
            begin_ms = max(begin_ms, now_ms - self._span_ms)
        newest_ms, taken, whole = begin_ms, 0, True
        for number, page in enumerate(_pages(self._target, begin_ms, _PATTERN), start=1):
            for event in page:
                self._take(event)
                newest_ms = max(newest_ms, event["timestamp"])
            taken += len(page)
            if taken >= _MOST_EVENTS or number >= _MOST_PAGES:
                whole = False
                break
        self._span_ms = newest_ms - begin_ms if not whole else None
        self._next_ms = max(self._since_ms, now_ms - _OVERLAP_MS) if whole else newest_ms
        self._seen = {key: at for key, at in self._seen.items() if at >= self._next_ms}
        self._calls.keep(_MOST_CALLS)
        return self._calls.ended()

    def _take(self, event: Any) -> None:
        key, time_ms = event["eventId"], event["timestamp"]
        if key not in self._seen:
            self._seen[key] = time_ms
            self._calls.take(event["logStreamName"], time_ms, event["message"])


def read(
    target: Target,
    since_ms: int,
    until_ms: int | None = None,
    *,
    streams_of: Sequence[str] = ("",),
    most_lines: int | None = None,
) -> list[Invocation]:
    """Return the calls of an environment's function that its log records between two moments.

    `streams_of` is how the names of the streams begin that are read, `most_lines` how many lines
    are read at most.
    """
    calls = Invocations()
    found = (
        event
        for prefix in streams_of
        for event in events(target, since_ms, until_ms, _PATTERN, prefix)
    )
    for event in islice(found, most_lines):
        calls.take(event["logStreamName"], event["timestamp"], event["message"])
    return calls.ended()


def events(
    target: Target,
    since_ms: int,
    until_ms: int | None = None,
    pattern: str = "",
    streams_of: str = "",
) -> Iterator[Any]:
    """Yield the events of the function's log between two moments."""
    for page in _pages(target, since_ms, pattern, until_ms, streams_of):
        yield from page


def _pages(
    target: Target,
    since_ms: int,
    pattern: str,
    until_ms: int | None = None,
    streams_of: str = "",
) -> Iterator[list[Any]]:
    limits: dict[str, Any] = {"startTime": since_ms}
    if streams_of:
        limits["logStreamNamePrefix"] = streams_of
    if until_ms is not None:
        limits["endTime"] = until_ms
    for page in target.aws.logs.get_paginator("filter_log_events").paginate(
        logGroupName=target.environment.log_group, filterPattern=pattern, **limits
    ):
        yield list(page["events"])
