"""A sample of what `make crash` tries in full."""

from __future__ import annotations

import pytest

from tests.crash import load
from tests.crash.harness import Harness, Point, called_throughout, spread

_POINTS_OF_EACH_VERB = 2


@pytest.fixture(scope="module")
def harness(quick_cloud: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Harness:
    return Harness.ready(tmp_path_factory.mktemp("crash"), quick_cloud)


@pytest.fixture(scope="module")
def points(harness: Harness) -> dict[str, list[Point]]:
    """All that can go wrong, by verb."""
    return {verb: harness.points(verb) for verb in ("deploy", "rollback")}


@pytest.mark.parametrize("verb", ["deploy", "rollback"])
def test_whatever_goes_wrong_nobody_notices_and_the_next_try_finishes(
    harness: Harness, points: dict[str, list[Point]], verb: str
) -> None:
    """It fails, is throttled, loses an answer, is killed: at points spread over the whole verb."""
    assert len(points[verb]) > 100
    tried = spread(points[verb], _POINTS_OF_EACH_VERB)
    with called_throughout(harness):
        problems = {point: harness.hold(point) for point in tried}
    assert harness.answers and not any(problems.values()), problems


def test_under_load_no_request_fails(harness: Harness) -> None:
    told, problems = load.there_and_back(harness, 1)
    assert harness.answers.total() > 20 and not problems, (told, problems)


def test_a_rollback_moves_live_with_its_third_call_after_the_proof(
    points: dict[str, list[Point]],
) -> None:
    """It says that it is at work, takes a number in the ledger, and moves live."""
    calls = {point.number: point.name for point in points["rollback"] if point.kind == "aws"}
    names = [calls[number] for number in sorted(calls)]
    moved = next(n for n, name in enumerate(names) if name.endswith("/aliases/live"))
    first = next(n for n, name in enumerate(names) if name.startswith("PUT "))
    told = [name.split("/", 3)[-1] for name in names[first : moved + 1]]
    assert len(told) <= 3, told
