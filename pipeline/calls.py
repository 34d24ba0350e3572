"""Calls of the function, as its log tells them: by which version, how long, how well.

Lambda writes START and REPORT lines around what a call prints, or objects of type platform.start
and platform.report where the log's format is JSON ("Monitoring and debugging Lambda functions" in
the AWS Lambda developer guide). In between, the handler prints a JSON object with the HTTP status,
or the runtime `[ERROR] <exception>`, as an object with its type where the log's format is JSON.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pipeline.aws import Aws
from pipeline.environment import Environment

# Any of these terms: "Filter pattern syntax" in the CloudWatch Logs user guide.
_PATTERN = (
    '?"START RequestId" ?"REPORT RequestId" ?"platform." '
    '?"functionVersion" ?"Status: 5" ?"[ERROR]" ?"errorType"'
)
_START = re.compile(r"START RequestId: (\S+) Version: (\S+)")
_REPORT = re.compile(r"REPORT RequestId: (\S+)\tDuration: ([\d.]+) ms")
_MEMORY = re.compile(r"Max Memory Used: (\d+) MB")
_INIT = re.compile(r"Init Duration: ([\d.]+) ms")
_BAD_END = re.compile(r"\tStatus: (?:error|timeout)")
# What the handler logs itself has a tab behind the level, not the exception's name. `Status: 5…` is
# what versions printed that were released before the handler told its status in JSON: a canary is
# compared with one of them, or is one of them.
_BAD = re.compile(r"^(?:Status: 5\d\d$|\[ERROR\] \w)", re.MULTILINE)


@dataclass(frozen=True)
class Call:
    """One call that has ended.

    `failed` says that the function ended with an error, or answered with an HTTP status of 5xx.
    `init_ms` is None for a call that met a warm environment. `began_ms` is in Unix time.
    """

    request_id: str
    version: str
    began_ms: int
    duration_ms: float
    memory_mb: int | None
    init_ms: float | None
    failed: bool


def read(
    account: Aws,
    environment: Environment,
    since_ms: int,
    until_ms: int | None = None,
    *,
    streams_of: str = "",
    most_lines: int | None = None,
) -> list[Call]:
    """Return the calls of an environment's function that its log tells between two moments.

    `streams_of` is how the names of the streams begin that are read, `most_lines` how many lines
    are read at most.
    """
    streams: dict[str, list[tuple[int, str]]] = defaultdict(list)
    told = events(account, environment, since_ms, until_ms, _PATTERN, streams_of)
    for event in islice(told, most_lines):
        streams[event["logStreamName"]].append((event["timestamp"], event["message"]))
    return [call for lines in streams.values() for call in in_lines(lines)]


def events(
    account: Aws,
    environment: Environment,
    since_ms: int,
    until_ms: int | None = None,
    pattern: str = "",
    streams_of: str = "",
) -> Iterator[Any]:
    """Yield the events of the function's log between two moments, those of a stream in order."""
    limits: dict[str, Any] = {"startTime": since_ms}
    if streams_of:
        limits["logStreamNamePrefix"] = streams_of
    if until_ms is not None:
        limits["endTime"] = until_ms
    pages = account.logs.get_paginator("filter_log_events").paginate(
        logGroupName=environment.log_group, filterPattern=pattern, **limits
    )
    for page in pages:
        yield from page["events"]


def in_lines(lines: Iterable[tuple[int, str]]) -> Iterator[Call]:
    """Yield the calls that the lines of one stream tell; each with the time that it was logged.

    An environment answers one call at a time, so what stands between START and REPORT is that
    call's.
    """
    version, began_ms, bad = "", 0, False
    for time_ms, line in lines:
        if start := _start(line):
            (_, version), began_ms, bad = start, time_ms, False
        elif _BAD.search(line) or _tells_of_failure(line):
            bad = True
        elif call := _report(line, version, began_ms or time_ms, bad):
            yield call
            began_ms, bad = 0, False


def request_that_starts(line: str) -> str | None:
    """Return the id of the request whose first line this is, or None."""
    start = _start(line)
    return start[0] if start else None


def starts_a_call_of(version: str, line: str) -> bool:
    """Say whether a line of the log is the first of a call of this version."""
    start = _start(line)
    return start is not None and start[1] == version


def _start(line: str) -> tuple[str, str] | None:
    """Return the request's id and the version that a START line names."""
    if found := _START.match(line):
        return found[1], found[2]
    record = _platform(line, "platform.start")
    return (record["requestId"], record["version"]) if record else None


def _report(line: str, version: str, began_ms: int, bad: bool) -> Call | None:
    if found := _REPORT.match(line):
        memory, init = _MEMORY.search(line), _INIT.search(line)
        return Call(
            request_id=found[1],
            version=version,
            began_ms=began_ms,
            duration_ms=float(found[2]),
            memory_mb=int(memory[1]) if memory else None,
            init_ms=float(init[1]) if init else None,
            failed=bad or _BAD_END.search(line) is not None,
        )
    if record := _platform(line, "platform.report"):
        metrics = record["metrics"]
        return Call(
            request_id=record["requestId"],
            version=version,
            began_ms=began_ms,
            duration_ms=metrics["durationMs"],
            memory_mb=metrics.get("maxMemoryUsedMB"),
            init_ms=metrics.get("initDurationMs"),
            failed=bad or record.get("status", "success") != "success",
        )
    return None


def _platform(line: str, kind: str) -> Any:
    """Return the record of a platform object of one kind, or None if the line is not one."""
    told = _object(line)
    return told.get("record") if told.get("type") == kind else None


def _tells_of_failure(line: str) -> bool:
    """Say whether a line is an object with an HTTP status of 5xx, or with an exception's type."""
    told = _object(line)
    return told.get("status") in range(500, 600) or "errorType" in told


def _object(line: str) -> dict[str, Any]:
    """Return the JSON object that a line is; an empty one if it is something else."""
    try:
        return dict(json.loads(line)) if line.startswith("{") else {}
    except ValueError:
        return {}
