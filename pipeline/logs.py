"""logs: what the function said, newest last; on demand for as long as it goes on."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import click

from pipeline import aws, calls, output
from pipeline.aws import Aws, absent_if
from pipeline.environment import Environment, environment_option
from pipeline.errors import ReleaseUnusable

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_POLLED_EVERY_S = 1
# CloudWatch takes events in late, so each look goes back behind the last.
_OVERLAP_MS = 30_000


class _Since(click.ParamType[int]):
    """A span of time back from now: 30s, 10m, 2h, 1d. Converted to seconds."""

    name = "span"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        found = re.fullmatch(r"(\d+)([smhd])", value)
        if not found:
            self.fail(f"{value!r} is not a span of time: 30s, 10m, 2h or 1d", param, ctx)
        return int(found[1]) * _UNITS_S[found[2]]


@click.command("logs")
@environment_option
@click.option("--since", "since_s", type=_Since(), default="10m", show_default=True)
@click.option("--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--version", help="Only what this version said.")
@click.option("--request", "request_id", help="Only what was said in this request.")
def command(
    environment: Environment,
    since_s: int,
    follow: bool,
    version: str | None,
    request_id: str | None,
) -> None:
    """Show the function's log."""
    account = aws.connect()
    since_ms = int((time.time() - since_s) * 1000)
    found = absent_if(
        "ResourceNotFoundException",
        lambda: _show(_wanted(_read(account, environment, since_ms), version, request_id), set()),
    )
    if found is None:
        raise ReleaseUnusable(
            f"there is no log group {environment.log_group}", "Deploy something first."
        )
    try:
        while follow:
            time.sleep(_POLLED_EVERY_S)
            recent_ms = max(since_ms, int(time.time() * 1000) - _OVERLAP_MS)
            _show(_wanted(_read(account, environment, recent_ms), version, request_id), found)
    except KeyboardInterrupt:
        return


def _read(account: Aws, environment: Environment, since_ms: int) -> list[Any]:
    """Return the events of the log since then, those of a stream in order."""
    return list(calls.events(account, environment, since_ms))


def _wanted(events: list[Any], version: str | None, request_id: str | None) -> Iterator[Any]:
    """Yield the events of one version, or of one request: from its START to its last line."""
    inside: dict[str, bool] = {}
    for event in events:
        stream, line = event["logStreamName"], event["message"]
        # 2026/11/23/[3]… and, where several functions share a group, 2026/11/23/name[3]…
        if version is not None and f"[{version}]" not in stream:
            continue
        if request_id is not None:
            if begun := calls.request_that_starts(line):
                inside[stream] = begun == request_id
            if not inside.get(stream) and request_id not in line:
                continue
        yield event


def _show(events: Iterable[Any], shown: set[str]) -> set[str]:
    """Print the events that were not shown yet, oldest first; return the ids of all that were."""
    for event in sorted(events, key=lambda each: each["timestamp"]):
        if event["eventId"] in shown:
            continue
        shown.add(event["eventId"])
        moment = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
        version = re.search(r"\[([^\]]+)\]", event["logStreamName"])
        output.result(
            f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z "
            f"[{version[1] if version else '?'}] {event['message'].rstrip()}"
        )
    return shown
