"""The figures of each release's first calls, as the function's log records them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.aws import absent_if
from pipeline.release.ledger import Release
from pipeline.target import Target
from pipeline.traffic import log_reader
from pipeline.traffic.invocations import Invocation
from pipeline.traffic.statistics import Figures

# Concurrent requests. CloudWatch Logs accepts few calls a second, and refuses the rest.
_AT_A_TIME = 2
# Of a release's log so many lines are read a day, which have a thousand calls or more. Reading
# all that a busy function ever wrote would take hours.
_LINES = 5_000


def read(target: Target, releases: Iterable[Release], hours: float) -> dict[int, Figures]:
    """Return the figures of the releases of the last `hours`, by number.

    Releases without a call in the log are left out. `releases` are the newest first.
    """
    now_ms = int(time.time() * 1000)
    spans = {
        number: span
        for number, span in _spans(releases, now_ms)
        if span.since_ms >= now_ms - hours * 3_600_000
    }
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        found = pool.map(lambda span: _figures(target, span), spans.values())
        return {number: item for number, item in zip(spans, found, strict=True) if item}


@dataclass(frozen=True)
class _Span:
    """When a release's version was called because of that release, in Unix time."""

    version: str
    since_ms: int
    until_ms: int

    def days(self) -> Iterator[str]:
        """Yield the first two days of it at most, as names of log streams write them."""
        first, last = (
            datetime.fromtimestamp(moment_ms / 1000, UTC).date()
            for moment_ms in (self.since_ms, self.until_ms)
        )
        for day in (first, first + timedelta(days=1)):
            if day <= last:
                yield f"{day:%Y/%m/%d}"


def _spans(releases: Iterable[Release], now_ms: int) -> Iterator[tuple[int, _Span]]:
    """Yield from when to when the calls of a release's version are that release's.

    That is from its beginning until the next one that succeeded has ended.
    """
    until_ms = now_ms
    for release in releases:
        if release.version:
            yield release.number, _Span(release.version, _ms(release.began), until_ms)
        if release.outcome == "succeeded" and release.ended:
            until_ms = _ms(release.ended)


def _ms(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)


def _figures(target: Target, span: _Span) -> Figures | None:
    """Return what the first calls of a release came to, None if the log has none.

    The log is read by the names of its streams: <year>/<month>/<day>/[<version>]<environment>, the
    day being that on which Lambda started the environment ("Working with Lambda function logs" in
    the developer guide). In a log group that was named, the function's name stands before the
    version ("Configuring CloudWatch log groups").
    """
    name = target.function.name
    seen = [
        call
        for day in span.days()
        for call in _calls(
            target,
            span,
            [f"{day}/[{span.version}]", f"{day}/{name}[{span.version}]"],
        )
    ]
    return Figures.of(seen) if seen else None


def _calls(target: Target, span: _Span, streams_of: list[str]) -> list[Invocation]:
    found = absent_if(
        "ResourceNotFoundException",
        lambda: log_reader.read(
            target,
            span.since_ms,
            span.until_ms,
            streams_of=streams_of,
            most_lines=_LINES,
        ),
    )
    return found or []
