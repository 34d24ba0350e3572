"""Which release serves, and who moved live: the alias compared with the ledger, on data."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.release import serving
from pipeline.release.ledger import Release
from pipeline.release.serving import Route, explain
from pipeline.traffic.alias import Live
from tests.support.environments import deployment, live, rollback

_FIRST, _SECOND = deployment(1, "1"), deployment(2, "2")
_FAILED = deployment(3, "3", "failed")
_DIED = deployment(3, None, "interrupted")
_UNDER_WAY = deployment(3, None, "under way")


@pytest.mark.parametrize(
    ("points_to", "releases", "alive", "route", "half_way"),
    [
        (None, (), False, "nothing", None),
        (live("2"), (_SECOND, _FIRST), False, "released", None),
        # A deployment that failed, and put live back.
        (live("2"), (_FAILED, _SECOND), False, "released", None),
        # A rollback to a version that two releases have.
        (live("1"), (rollback(3, "1", 1), _SECOND, _FIRST), False, "released", None),
        (live("2"), (_UNDER_WAY, _SECOND), True, "under way", 3),
        (live("2", ("3", 0.1)), (_UNDER_WAY, _SECOND), True, "under way", 3),
        (live("2", ("3", 0.1)), (_UNDER_WAY, _SECOND), False, "half-way", 3),
        (live("2", ("3", 0.1)), (_DIED, _SECOND), False, "half-way", 3),
        (live("3"), (_DIED, _SECOND), False, "half-way", 3),
        (live("3"), (_FAILED, _SECOND), False, "half-way", 3),
        # A rollback that moved live, and whose check failed.
        (live("1"), (rollback(3, "1", 1, "failed"), _SECOND, _FIRST), False, "half-way", 3),
        # The first release failed its check, and there was nothing to go back to.
        (live("1"), (deployment(1, "1", "failed"),), False, "half-way", 1),
        (live("1"), (_SECOND, _FIRST), False, "moved", None),
        (live("2", ("1", 0.1)), (_SECOND, _FIRST), False, "moved", None),
        # A deployment failed, and then somebody moved live to a version of another release.
        (live("1"), (_FAILED, _SECOND, _FIRST), False, "moved", None),
        (live("1"), (_DIED, _SECOND, _FIRST), False, "moved", None),
        (live("9"), (_FAILED, _SECOND, _FIRST), False, "moved", None),
        (None, (_SECOND, _FIRST), False, "moved", None),
    ],
)
def test_each_route_is_explained_by_the_ledger_or_by_nobody(
    points_to: Live | None,
    releases: tuple[Release, ...],
    alive: bool,
    route: Route,
    half_way: int | None,
) -> None:
    found = explain(points_to, releases, alive=alive)
    assert found.route == route
    assert (found.half_way.number if found.half_way else None) == half_way


def test_shares_name_the_release_of_each_version() -> None:
    found = explain(live("2", ("3", 0.1)), (_UNDER_WAY, _SECOND, _FIRST), alive=True)
    assert found.in_words() == "v2 of #2 gets 90 %, v3 of #3 gets 10 %"
    assert explain(live("1"), (_SECOND, _FIRST), alive=False).in_words() == (
        "v1 of #1 serves all calls"
    )
    unknown = explain(live("9"), (_SECOND, _FIRST), alive=False)
    assert unknown.in_words() == "v9, which no release has, serves all calls"
    assert serving.points_elsewhere(unknown) == (
        "somebody moved live: v9, which no release has, serves all calls; by the ledger, v2 of #2 "
        "serves"
    )


def test_the_ledger_is_read_no_further_than_it_takes() -> None:
    """A history can be long, and each release is a call of S3."""
    read: list[int] = []

    def releases() -> Iterator[Release]:
        for number in range(900, 0, -1):
            read.append(number)
            yield deployment(number % 15 + 1, str(number))

    assert len(serving.enough(releases(), live("900"))) == 1 == len(read)
    read.clear()
    assert serving.enough(releases(), live("898"))[-1].version == "898" and len(read) == 3
    read.clear()
    serving.enough(releases(), live("no such version"))
    assert len(read) <= 202
