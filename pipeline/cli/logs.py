"""logs: show the function's log, newest line last; with --follow until interrupted."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import click

from pipeline import aws, labels
from pipeline.cli import console
from pipeline.traffic import invocations, log_reader
from pipeline.aws import absent_if
from pipeline.cli.options import Label, environment_option
from pipeline.config import Environment
from pipeline.errors import ReleaseUnusableError
from pipeline.cli.help import examples
from pipeline.release.ledger import Ledger
from pipeline.target import Target

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_POLLED_EVERY_S = 1
# CloudWatch takes events in late, so each look goes back behind the last.
_OVERLAP_MS = 30_000


class _Since(click.ParamType[int]):
    """A span of time back from now: 30s, 10m, 2h, 1d. Converted to seconds."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        found = re.fullmatch(r"(\d+)([smhd])", value)
        if not found:
            self.fail(f"{value!r} is not a duration such as 30s, 10m, 2h or 1d", param, ctx)
        return int(found[1]) * _UNITS_S[found[2]]


@click.command(
    "logs",
    epilog=examples(
        "logs --environment production --follow",
        "logs --environment production --since 2h --version v16",
        "logs --environment production --since 2d --release 24",
    ),
)
@environment_option
@click.option(
    "--since",
    "since_s",
    type=_Since(),
    default="10m",
    show_default=True,
    help="Age of the oldest line: 30s, 10m, 2h or 1d.",
)
@click.option("--follow", is_flag=True, help="Print new lines until Ctrl-C.")
@click.option("--version", type=Label("version"), help="Only lines of this Lambda version.")
@click.option(
    "--release", "number", type=Label("release"), help="Only lines of this release's version."
)
@click.option("--request", "request_id", metavar="ID", help="Only lines of this request.")
def command(
    environment: Environment,
    since_s: int,
    follow: bool,
    version: str | None,
    number: int | None,
    request_id: str | None,
) -> None:
    """Show the function's log."""
    if version and number:
        raise click.UsageError("--release cannot be combined with --version.")
    target = Target(aws.connect(), environment)
    if number:
        version = _version_of(target, number)
    since_ms = int((time.time() - since_s) * 1000)
    wanted = _Wanted(version, request_id)
    events = absent_if("ResourceNotFoundException", lambda: _read(target, since_ms))
    if events is None:
        raise ReleaseUnusableError(
            f"the log group {environment.log_group} does not exist",
            f"Deploy to {environment.name} first.",
        )
    found = list(wanted.among(events))
    _show(found)
    if not found and not follow:
        console.notice(wanted.nothing_since(since_s))
    try:
        while follow:
            time.sleep(_POLLED_EVERY_S)
            recent_ms = max(since_ms, int(time.time() * 1000) - _OVERLAP_MS)
            _show(wanted.among(_read(target, recent_ms)))
    except KeyboardInterrupt:
        return


def _version_of(target: Target, number: int) -> str:
    """Return the version of a release; raise ReleaseUnusableError if it has none."""
    release = Ledger(target).get(number)
    if release is None or release.version is None:
        missing = "does not exist" if release is None else "has no version: it published none"
        raise ReleaseUnusableError(
            f"release {labels.release(number)} of {target.name} {missing}",
            "See the list of releases.",
            command=f"python -m pipeline releases --environment {target.name}",
        )
    return release.version


def _read(target: Target, since_ms: int) -> list[Any]:
    """Return the events of the log since then, those of a stream in order."""
    return list(log_reader.events(target, since_ms))


@dataclass
class _Wanted:
    """Picks the events of one version, or of one request: from its START to its last line.

    Each event is judged once, for the request that its stream was in then.
    """

    version: str | None
    request_id: str | None
    _judged: set[str] = field(default_factory=set)
    _inside: dict[str, bool] = field(default_factory=dict)

    def nothing_since(self, since_s: int) -> str:
        """Return that there is nothing of it in the log."""
        unit = next(each for each in reversed(_UNITS_S) if since_s % _UNITS_S[each] == 0)
        what = f" of {labels.version(self.version)}" if self.version else ""
        what += f" of request {self.request_id}" if self.request_id else ""
        return (
            f"nothing{what} in the last {since_s // _UNITS_S[unit]}{unit} of the log: "
            "--since goes back further, and events arrive late"
        )

    def among(self, events: Iterable[Any]) -> Iterator[Any]:
        """Yield those that are wanted and were not judged before."""
        for event in events:
            if event["eventId"] not in self._judged:
                self._judged.add(event["eventId"])
                if self._is_wanted(event["logStreamName"], event["message"]):
                    yield event

    def _is_wanted(self, stream: str, line: str) -> bool:
        # 2026/11/23/[3]… and, where several functions share a group, 2026/11/23/name[3]…
        if self.version is not None and f"[{self.version}]" not in stream:
            return False
        if self.request_id is None:
            return True
        if begun := invocations.request_that_starts(line):
            self._inside[stream] = begun == self.request_id
        return self._inside.get(stream, False) or self.request_id in line


def _show(events: Iterable[Any]) -> None:
    """Print events, oldest first."""
    for event in sorted(events, key=lambda event: event["timestamp"]):
        moment = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
        version = re.search(r"\[([^\]]+)\]", event["logStreamName"])
        console.result(
            f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z "
            f"[{labels.version(version[1] if version else None)}] {event['message'].rstrip()}"
        )
