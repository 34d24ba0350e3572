"""Calls of the function, as its log has them: version, duration, outcome.

Lambda writes START and REPORT lines around what a call prints, or objects of type platform.start
and platform.report where the log's format is JSON ("Monitoring and debugging Lambda functions" in
the AWS Lambda developer guide). In between, the handler prints a JSON object with the request's id
and the HTTP status, or the runtime `[ERROR] <exception>`, as an object with its type where the
log's format is JSON.

Lines come late, and those of one millisecond in any order. So they are put together by the request
that they name; what names none belongs to the request that its environment had at that time.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

_START = re.compile(r"START RequestId: (\S+) Version: (\S+)")
_REPORT = re.compile(r"REPORT RequestId: (\S+)\tDuration: ([\d.]+) ms")
_MEMORY = re.compile(r"Max Memory Used: (\d+) MB")
_INIT = re.compile(r"Init Duration: ([\d.]+) ms")
_BAD_END = re.compile(r"\tStatus: (?:error|timeout)")
# What the handler logs itself has a tab behind the level, not the exception's name.
_EXCEPTION = re.compile(r"^\[ERROR\] \w", re.MULTILINE)
# 2026/11/23/[3]… and, in a log group that was named, 2026/11/23/name[3]….
_VERSION_IN_STREAM = re.compile(r"\[([^\]]+)\]")


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call that has ended.

    `failed` says that the function ended with an error, or answered with an HTTP status of 5xx.
    `known` is False where the log holds neither an error nor the line with the call's HTTP status.
    `init_ms` is None for a call that met a warm environment. `began_ms` is in Unix time.
    """

    request_id: str
    version: str
    began_ms: int
    duration_ms: float
    memory_mb: int | None
    init_ms: float | None
    failed: bool
    known: bool = True


@dataclass(slots=True)
class _Request:
    """What is known of a request so far. It has ended when there is a `duration_ms`."""

    stream: str
    version: str
    began_ms: int
    ended_ms: int | None = None
    duration_ms: float | None = None
    memory_mb: int | None = None
    init_ms: float | None = None
    answered: bool = False
    failed: bool = False


class Invocations:
    """Puts calls together from the lines of the log, in whatever order they come."""

    def __init__(self) -> None:
        self._requests: dict[str, _Request] = {}
        # Failures that name no request: the stream, and when.
        self._loose: list[tuple[str, int]] = []

    def __len__(self) -> int:
        return len(self._requests)

    def take(self, stream: str, time_ms: int, line: str) -> None:
        """Process one line of a stream."""
        fields = _object(line)
        if start := _start(line, fields):
            request = self._request(start[0], stream, time_ms)
            request.version, request.began_ms = start[1], time_ms
        elif found := _REPORT.match(line):
            request = self._request(found[1], stream, time_ms)
            memory, init = _MEMORY.search(line), _INIT.search(line)
            request.ended_ms, request.duration_ms = time_ms, float(found[2])
            request.memory_mb = int(memory[1]) if memory else None
            request.init_ms = float(init[1]) if init else None
            request.failed |= _BAD_END.search(line) is not None
        elif record := _platform(fields, "platform.report"):
            request = self._request(record["requestId"], stream, time_ms)
            metrics = record["metrics"]
            request.ended_ms, request.duration_ms = time_ms, metrics["durationMs"]
            request.memory_mb = metrics.get("maxMemoryUsedMB")
            request.init_ms = metrics.get("initDurationMs")
            request.failed |= record.get("status", "success") != "success"
        elif "status" in fields or "errorType" in fields:
            failed = fields.get("status") in range(500, 600) or "errorType" in fields
            if isinstance(request_id := fields.get("requestId"), str):
                request = self._request(request_id, stream, time_ms)
                request.answered |= "status" in fields
                request.failed |= failed
            elif failed:
                self._loose.append((stream, time_ms))
        elif _EXCEPTION.search(line):
            self._loose.append((stream, time_ms))

    def ended(self) -> list[Invocation]:
        """Return the calls that have ended, as far as their lines have come."""
        loose = set(map(id, self._loosely_failed()))
        return [
            Invocation(
                request_id,
                request.version,
                request.began_ms,
                request.duration_ms,
                request.memory_mb,
                request.init_ms,
                failed=(failed := request.failed or id(request) in loose),
                known=request.answered or failed,
            )
            for request_id, request in self._requests.items()
            if request.duration_ms is not None
        ]

    def keep(self, most: int) -> None:
        """Forget the oldest, of all versions alike, so that there are `most` left."""
        if len(self._requests) > most:
            newest = sorted(self._requests.items(), key=lambda item: item[1].began_ms)[-most:]
            self._requests = dict(newest)
            since_ms = newest[0][1].began_ms
            self._loose = [call for call in self._loose if call[1] >= since_ms]

    def _request(self, request_id: str, stream: str, time_ms: int) -> _Request:
        if request_id not in self._requests:
            version = _VERSION_IN_STREAM.search(stream)
            self._requests[request_id] = _Request(stream, version[1] if version else "", time_ms)
        return self._requests[request_id]

    def _loosely_failed(self) -> Iterator[_Request]:
        """Yield the requests that failures belong to which name none.

        An environment answers one call at a time. Where one ended and the next began in the same
        millisecond, it is the one that has not answered.
        """
        by_stream: dict[str, list[_Request]] = defaultdict(list)
        for request in self._requests.values() if self._loose else ():
            by_stream[request.stream].append(request)
        for stream, time_ms in self._loose:
            fits = [
                request
                for request in by_stream[stream]
                if request.began_ms <= time_ms
                and (request.ended_ms is None or time_ms <= request.ended_ms)
            ]
            if fits:
                yield min(fits, key=attrgetter("answered", "began_ms"))


def in_lines(lines: Iterable[tuple[int, str]]) -> list[Invocation]:
    """Return the calls in the lines of one stream, each with its log time."""
    calls = Invocations()
    for time_ms, line in lines:
        calls.take("", time_ms, line)
    return calls.ended()


def request_that_starts(line: str) -> str | None:
    """Return the id of the request whose first line this is, or None."""
    start = _start(line, _object(line))
    return start[0] if start else None


def starts_a_call_of(version: str, line: str) -> bool:
    """Return whether a line of the log is the first of a call of this version."""
    start = _start(line, _object(line))
    return start is not None and start[1] == version


def _start(line: str, fields: dict[str, Any]) -> tuple[str, str] | None:
    """Return the request's id and the version that a START line names."""
    if found := _START.match(line):
        return found[1], found[2]
    record = _platform(fields, "platform.start")
    return (record["requestId"], record["version"]) if record else None


def _platform(fields: dict[str, Any], kind: str) -> Any:
    """Return the record of a platform object of one kind, or None if it is something else."""
    return fields.get("record") if fields.get("type") == kind else None


def _object(line: str) -> dict[str, Any]:
    """Return the JSON object that a line is; an empty one if it is something else."""
    try:
        return dict(json.loads(line)) if line.startswith("{") else {}
    except ValueError:
        return {}
