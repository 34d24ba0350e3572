"""A sample of what `make crash` tries in full."""

from __future__ import annotations

import pytest

from tests.fault_injection import load
from tests.fault_injection.harness import FUNCTION, Harness, Point, called_throughout

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def harness(quick_cloud: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Harness:
    return Harness.ready(tmp_path_factory.mktemp("crash"), quick_cloud)


@pytest.mark.parametrize(
    "point",
    [
        Point("deploy", "terraform", "apply", 1, "kill during"),
        Point(
            *("rollback", "aws", f"PUT /2015-03-31/functions/{FUNCTION}/aliases/live"),
            *(1, "kill after"),
        ),
    ],
    ids=str,
)
def test_whatever_goes_wrong_nobody_notices_and_the_next_try_finishes(
    harness: Harness, point: Point
) -> None:
    """The moments that matter most; `make crash` tries all there are."""
    with called_throughout(harness):
        outcome = harness.hold(point)
    assert harness.answers and outcome.met and not outcome.problems, outcome


def test_under_load_no_request_fails(harness: Harness) -> None:
    summary, problems = load.there_and_back(harness, 1)
    assert harness.answers.total() > 20 and not problems, (summary, problems)


def test_a_rollback_moves_live_with_its_third_call_after_the_proof(harness: Harness) -> None:
    """It says that it is at work, takes a number in the ledger, and moves live."""
    points = harness.points("rollback")
    assert len(points) > 100
    calls = dict.fromkeys((point.name, point.occurrence) for point in points if point.kind == "aws")
    names = [name for name, _ in calls]
    moved = next(n for n, name in enumerate(names) if name.endswith("/aliases/live"))
    first = next(n for n, name in enumerate(names) if name.startswith("PUT "))
    written = [name.split("/", 3)[-1] for name in names[first : moved + 1]]
    assert len(written) <= 3, written
