"""A sample of what `make crash` tries in full."""

from __future__ import annotations

import pytest

from tests.crash import load
from tests.crash.harness import Harness, Point, called_throughout

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def harness(quick_cloud: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Harness:
    return Harness.ready(tmp_path_factory.mktemp("crash"), quick_cloud)


@pytest.fixture(scope="module")
def points(harness: Harness) -> dict[str, list[Point]]:
    """All that can go wrong, by verb."""
    return {verb: harness.points(verb) for verb in ("deploy", "rollback")}


@pytest.mark.parametrize(
    ("verb", "kind", "name", "fault"),
    [
        ("deploy", "terraform", "apply", "kill during"),
        ("rollback", "aws", "/aliases/live", "kill after"),
    ],
)
def test_whatever_goes_wrong_nobody_notices_and_the_next_try_finishes(
    harness: Harness, points: dict[str, list[Point]], verb: str, kind: str, name: str, fault: str
) -> None:
    """The moments that matter most; `make crash` tries all there are."""
    assert len(points[verb]) > 100
    [point, *_] = [
        each
        for each in points[verb]
        if (each.kind, each.fault) == (kind, fault)
        and each.name.endswith(name)
        and not each.name.startswith("GET ")
    ]
    with called_throughout(harness):
        outcome = harness.hold(point)
    assert harness.answers and outcome.met and not outcome.problems, (point, outcome)


def test_under_load_no_request_fails(harness: Harness) -> None:
    told, problems = load.there_and_back(harness, 1)
    assert harness.answers.total() > 20 and not problems, (told, problems)


def test_a_rollback_moves_live_with_its_third_call_after_the_proof(
    points: dict[str, list[Point]],
) -> None:
    """It says that it is at work, takes a number in the ledger, and moves live."""
    calls = dict.fromkeys(
        (each.name, each.occurrence) for each in points["rollback"] if each.kind == "aws"
    )
    names = [name for name, _ in calls]
    moved = next(n for n, name in enumerate(names) if name.endswith("/aliases/live"))
    first = next(n for n, name in enumerate(names) if name.startswith("PUT "))
    told = [name.split("/", 3)[-1] for name in names[first : moved + 1]]
    assert len(told) <= 3, told
