"""How an environment is, for a terminal and for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline import labels
from pipeline.commit import short
from pipeline.markdown import one_line
from pipeline.release import state
from pipeline.release.ledger import Release
from pipeline.release.observation import Callers, Observation
from pipeline.release.state import State


@dataclass(frozen=True)
class Status:
    """What was observed, what callers meet, and the states that need a person."""

    observation: Observation
    callers: Callers
    states: Sequence[State]

    @property
    def is_content(self) -> bool:
        """Whether nothing needs a person."""
        return not self.states


def lines(status: Status) -> Iterator[str]:
    """Yield the status for people, a line each."""
    yield from _rows("serves", _serving(status))
    yield from _rows("release", _newest(status))
    yield from _rows("Terraform", _terraform(status))
    yield from _rows("API", _api(status))
    yield from _rows("back", _way_back(status))
    yield ""
    for need in status.states:
        yield need.in_words()
        yield from _rows("  believe", [need.believe] if need.believe else [])
        yield from _rows("  run", [need.command])
        yield from _rows("  or", [need.otherwise] if need.otherwise else [])
    if status.is_content:
        yield "alias, ledger, $LATEST and Terraform agree, and nothing needs a person"


def document(status: Status) -> dict[str, Any]:
    """Return the status for machines."""
    seen, callers = status.observation, status.callers
    found = seen.serving
    return {
        "environment": seen.environment.name,
        "content": status.is_content,
        "states": [asdict(need) for need in status.states],
        "serving": found.release.to_json() if found.release else None,
        "route": found.route,
        "shares": [
            {
                "version": share.version,
                "percent": share.percent,
                "release": share.release.number if share.release else None,
                "bundle": share.release.bundle if share.release else None,
            }
            for share in found.shares
        ],
        "newest": found.newest.to_json() if found.newest else None,
        "under_way": state.is_under_way(seen),
        "last_sign_of_life_s": seen.sign.age_s if seen.sign else None,
        "terraform": asdict(seen.applied) if seen.applied else None,
        "lock": (
            {
                "id": seen.lock.id,
                "who": seen.lock.who,
                "operation": seen.lock.operation,
                "created": seen.lock.created.isoformat(),
            }
            if seen.lock
            else None
        ),
        "api": {
            "url": callers.url,
            "health": callers.health.outcome if callers.health else None,
            "milliseconds": callers.health.milliseconds if callers.health else None,
            "alarms": list(callers.alarms),
        },
        "way_back": seen.restorable.number if seen.restorable else None,
    }


def _rows(label: str, texts: Sequence[str]) -> Iterator[str]:
    """Yield a row for each text, of which only the first has the label."""
    for number, text in enumerate(texts):
        yield f"{'' if number else label:<11}{text}"


def _serving(status: Status) -> list[str]:
    found = status.observation.serving
    if not found.shares:
        return ["nothing"]
    return [f"{share.in_words()}{_which(share.release)}" for share in found.shares]


def _which(release: Release | None) -> str:
    if release is None:
        return ""
    since = (release.ended or release.began)[:19]
    kind = f"rollback to {labels.release(release.restores)}" if release.restores else release.kind
    commit = f", commit {one_line(short(release.commit))}" if release.commit else ""
    reason = f": {one_line(release.reason)}" if release.reason else ""
    return (
        f" since {since}Z: {kind} by {one_line(release.actor)}, bundle {release.bundle[:12]}"
        f"{commit}{reason}"
    )


def _newest(status: Status) -> list[str]:
    """Return how the newest release is, if it is not the one that serves."""
    seen = status.observation
    newest, sign = seen.serving.newest, seen.sign
    if newest is None:
        return ["none, ever"]
    if state.is_under_way(seen):
        assert sign
        what = ", ".join(newest.pending) or f"a {newest.kind} of bundle {newest.bundle[:12]}"
        return [
            f"{newest.label} is under way: {what}, by {one_line(newest.actor)}, since "
            f"{newest.began[:19]}Z; last sign of life {sign.age_s:.0f} s ago"
        ]
    if newest.outcome == "succeeded":
        return ["none is under way"]
    return [f"{newest.label} {state.ended(newest)}"]


def _terraform(status: Status) -> list[str]:
    seen = status.observation
    if seen.applied is None or seen.applied.version is None:
        return ["has applied nothing"]
    text = f"applied {labels.version(seen.applied.version)} last"
    if seen.lock:
        text += f"; {one_line(seen.lock.who)} holds the lock of its state ({seen.lock.operation})"
    return [text]


def _api(status: Status) -> list[str]:
    callers = status.callers
    health = f"GET /api/health: {callers.health.in_words()}" if callers.health else ""
    firing = f"alarms that fire: {', '.join(callers.alarms)}" if callers.alarms else ""
    return ["  ".join(filter(None, (callers.url or "none", health, firing)))]


def _way_back(status: Status) -> list[str]:
    seen, release = status.observation, status.observation.restorable
    if release is None:
        return ["no release can be restored by default"]
    problem = f", but {seen.unrestorable}" if seen.unrestorable else ""
    return [
        f"{release.label} ({labels.version(release.version)}): python -m pipeline rollback "
        f"--environment {seen.environment.name}{problem}"
    ]
