"""What serves: the shares of live's calls, the release of each, and how they got there.

The ledger says which release is to serve: the newest that succeeded. The alias says which versions
do. Whatever compares the two does it here, on data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal
from pipeline import labels
from pipeline.config import LIVE
from pipeline.release.ledger import Ledger, Release
from pipeline.release.lease import Lease
from pipeline.traffic.alias import Live
from pipeline.target import Target

# How live's route came about:
#   nothing      there is no alias, and no release succeeded
#   released     the version of the release that serves by the ledger, alone
#   under way    a release is moving it, or has not begun to
#   half-way     a release that died or failed has traffic, or a share of it
#   moved        no release of this ledger explains it: somebody moved it, or deleted the alias
type Route = Literal["nothing", "released", "under way", "half-way", "moved"]


@dataclass(frozen=True)
class Share:
    """A version's share of live's calls, and the newest release that has this version, if any."""

    version: str
    percent: float
    release: Release | None

    def in_words(self) -> str:
        of = f" of {self.release.label}" if self.release else ", which no release has,"
        return f"{labels.version(self.version)}{of} gets {self.percent:.4g} %"


@dataclass(frozen=True)
class Serving:
    """What serves by the alias, and by the ledger.

    `live` is where the alias points, and `route` how that came about. `shares` begin with the
    version that live points to. `release` is the one that serves by the ledger, `newest` the
    ledger's newest, however it ended; `half_way` the one that has traffic although it died or
    failed, or that is under way.
    """

    live: Live | None
    route: Route
    shares: tuple[Share, ...]
    release: Release | None
    newest: Release | None
    half_way: Release | None

    def in_words(self) -> str:
        """Return what serves, as a clause."""
        if not self.shares:
            return "nothing serves"
        [first, *others] = self.shares
        if others:
            return ", ".join(share.in_words() for share in self.shares)
        of = f" of {first.release.label}" if first.release else ", which no release has,"
        return f"{labels.version(first.version)}{of} serves all calls"


def of(target: Target, live: Live | None) -> Serving:
    """Read the ledger as far as it takes, and compare it with where live points."""
    releases = enough(Ledger(target).releases(), live)
    newest = next(iter(releases), None)
    under_way = newest is not None and newest.outcome == "under way"
    sign = Lease(target).last_sign() if under_way else None
    alive = sign is not None and newest is not None and sign.is_of(newest.number)
    return explain(live, releases, alive=alive)


def explain(live: Live | None, releases: Sequence[Release], *, alive: bool) -> Serving:
    """Compare the alias with the ledger.

    `releases` are the newest ones, newest first, down to one that succeeded at least, and to those
    that have the versions of `live`; `alive` is whether the process of the newest is at work.
    """
    newest = next(iter(releases), None)
    serving = next((release for release in releases if release.outcome == "succeeded"), None)
    shares = _shares(live, releases, serving)
    unfinished = _after(releases, serving)
    half_way = next(
        (share.release for share in reversed(shares) if share.release in unfinished), None
    )
    if alive and newest and newest.outcome == "under way":
        return Serving(live, "under way", shares, serving, newest, newest)
    if live is None:
        return Serving(live, "moved" if serving else "nothing", (), serving, newest, None)
    if serving and live.route == (serving.version, ()):
        return Serving(live, "released", shares, serving, newest, None)
    if half_way:
        return Serving(live, "half-way", shares, serving, newest, half_way)
    return Serving(live, "moved", shares, serving, newest, None)


def versions(live: Live | None) -> set[str]:
    """Return the versions that get calls of live."""
    return {live.version, *(version for version, _ in live.weights)} if live else set()


def enough(releases: Iterable[Release], live: Live | None, most: int = 200) -> list[Release]:
    """Read as many releases, newest first, as `explain` needs; at most `most` beyond the serving.

    A version that is older than those counts as one that no release has.
    """
    wanted, read, succeeded, beyond = versions(live), list[Release](), False, 0
    for release in releases:
        read.append(release)
        wanted.discard(release.version or "")
        succeeded = succeeded or release.outcome == "succeeded"
        beyond += succeeded
        if succeeded and (not wanted or beyond > most):
            break
    return read


def points_elsewhere(serving: Serving) -> str:
    """Return the sentence for a live that somebody moved."""
    ledger = serving.release
    if not serving.shares:
        where = f"the alias {LIVE} is gone"
    else:
        where = f"somebody moved {LIVE}: {serving.in_words()}"
    if ledger is None:
        return f"{where}; no release in the ledger succeeded"
    return f"{where}; by the ledger, {labels.version(ledger.version)} of {ledger.label} serves"


def _shares(
    live: Live | None, releases: Sequence[Release], serving: Release | None
) -> tuple[Share, ...]:
    if live is None:
        return ()
    rest = 1 - sum(weight for _, weight in live.weights)
    return tuple(
        Share(version, 100 * weight, _release_of(version, releases, serving))
        for version, weight in ((live.version, rest), *live.weights)
    )


def _release_of(
    version: str, releases: Sequence[Release], serving: Release | None
) -> Release | None:
    """Return the newest release that has a version.

    A deployment under way, or one that died, has none in the ledger yet: a version that no other
    release has is the newest such deployment's.
    """
    if serving and serving.version == version:
        return serving
    known = next((release for release in releases if release.version == version), None)
    return known or next(
        (release for release in _after(releases, serving) if release.version is None), None
    )


def _after(releases: Sequence[Release], serving: Release | None) -> list[Release]:
    """Return the releases after the one that serves by the ledger: none of them succeeded."""
    return list(takewhile(lambda release: release != serving, releases))
