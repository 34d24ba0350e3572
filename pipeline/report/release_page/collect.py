"""Collect the data of the release page: ledger, manifests, quarantine, live, the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.release import ledger, observation, quarantine, rollback_target, state
from pipeline.traffic import log_reader
from pipeline.aws import absent_if
from pipeline.bundle.manifest import Manifest
from pipeline.traffic.invocations import Invocation
from pipeline.config import Environment
from pipeline.release.ledger import Ledger, Release
from pipeline.release.state import State
from pipeline.traffic.statistics import Figures
from pipeline.traffic.alias import Live
from pipeline.target import Target

# Concurrent requests. CloudWatch Logs accepts few calls a second, and refuses the rest.
_BUNDLES_AT_A_TIME = 8
_LOGS_AT_A_TIME = 2
# Of a release's log so many lines are read a day, which have a thousand calls or more. Reading
# all that a busy function ever wrote would take hours.
_LINES = 5_000


@dataclass(frozen=True)
class ReleaseHistory:
    """What is known of an environment's releases, the newest first.

    `serving` is the release that serves by the ledger, `way_back` the number of the one that a
    rollback would restore now. `manifests` are those of bundles that are whole in the store, and
    `quarantined` has why a bundle is in quarantine, both by the bundle's id. `figures` are those
    of releases whose calls the log still has, by number; it was read `hours` back. `states` are
    those that need a person.
    """

    environment: Environment
    made: str
    live: Live | None
    releases: tuple[Release, ...]
    serving: Release | None
    way_back: int | None
    manifests: Mapping[str, Manifest]
    quarantined: Mapping[str, str]
    figures: Mapping[int, Figures]
    hours: float
    states: tuple[State, ...] = ()


@dataclass(frozen=True)
class _Span:
    """When a release's version was called because of that release, in Unix time."""

    version: str
    since_ms: int
    until_ms: int

    def days(self) -> Iterator[str]:
        """Yield the first two days of it at most, as names of log streams write them."""
        first, last = (
            datetime.fromtimestamp(each / 1000, UTC).date()
            for each in (self.since_ms, self.until_ms)
        )
        for day in (first, first + timedelta(days=1)):
            if day <= last:
                yield f"{day:%Y/%m/%d}"


def collect(target: Target, hours: float) -> ReleaseHistory:
    """Read all data of the page from AWS."""
    releases = tuple(Ledger(target).releases())
    seen = observation.observe(target)
    # One release stands for all of its bundle.
    bundles = {release.bundle: release for release in releases}
    manifests = _all(
        lambda each: rollback_target.manifest_of(target.aws, each), bundles, _BUNDLES_AT_A_TIME
    )
    quarantined = quarantine.reasons(target, bundles)
    now_ms = int(time.time() * 1000)
    spans = {
        number: span
        for number, span in _spans(releases, now_ms)
        if span.since_ms >= now_ms - hours * 3_600_000
    }
    return ReleaseHistory(
        environment=target.environment,
        made=ledger.now(),
        live=seen.serving.live,
        releases=releases,
        serving=seen.serving.release,
        way_back=seen.restorable.number if seen.restorable else None,
        states=state.find(seen),
        manifests=manifests,
        quarantined=quarantined,
        figures=_all(lambda each: _figures(target, each), spans, _LOGS_AT_A_TIME),
        hours=hours,
    )


def _all[K, V, R](ask: Callable[[V], R | None], of: Mapping[K, V], at_a_time: int) -> dict[K, R]:
    """Read each; leave out what does not exist."""
    with ThreadPoolExecutor(at_a_time) as pool:
        answers = pool.map(ask, of.values())
        return {key: found for key, found in zip(of, answers, strict=True) if found is not None}


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
