"""The gate's rule: what is worse is stopped, what is as good is not, whatever hits both."""

from __future__ import annotations

import math
import random

import pytest

from pipeline.traffic import analysis
from pipeline.traffic.invocations import Invocation
from pipeline.traffic.analysis import Throttled

_LOOKS = 6


def _calls(
    count: int,
    seed: int,
    *,
    ms: float = 20,
    noise: float = 0.5,
    errors: float = 0,
    memory_mb: int = 80,
    cold: int = 0,
    init_ms: float = 200,
) -> list[Invocation]:
    """Calls with log-normal durations, as measured services have them, and one slow in fifty."""
    chance = random.Random(seed)
    return [
        Invocation(
            request_id=str(number),
            version="1",
            began_ms=number,
            duration_ms=ms * chance.lognormvariate(0, noise) * (8 if chance.random() < 0.02 else 1),
            memory_mb=memory_mb,
            init_ms=init_ms * chance.lognormvariate(0, 0.2) if number < cold else None,
            failed=chance.random() < errors,
        )
        for number in range(count)
    ]


def _worse(
    canary: list[Invocation], live: list[Invocation], throttled: Throttled = Throttled()
) -> set[str]:
    return {each.figure for each in analysis.compare(canary, live, _LOOKS, throttled) if each.worse}


@pytest.mark.parametrize("counts", [(5, 5), (50, 450), (500, 500)])
def test_a_canary_as_good_as_live_passes_under_noise(counts: tuple[int, int]) -> None:
    """Fifty of fifty, with noise, errors and slow calls in both alike."""
    for seed in range(50):
        canary = _calls(counts[0], seed, errors=0.02, cold=5)
        live = _calls(counts[1], seed + 1000, errors=0.02, cold=5)
        assert _worse(canary, live) == set()


@pytest.mark.parametrize("few", [1, 2, 3, 5, 10, 19, 20, 25])
def test_a_handful_of_lives_calls_stops_nothing(few: int) -> None:
    """At 100 % live has only the calls that were under way, which are too few to compare."""
    for seed in range(50):
        assert _worse(_calls(500, seed, cold=20), _calls(few, seed + 1000, cold=few)) == set()


def test_errors_on_a_twentieth_of_the_calls_are_seen() -> None:
    seen = [_worse(_calls(500, seed, errors=0.05), _calls(500, seed + 99)) for seed in range(50)]
    assert seen.count({"errors"}) >= 49


def test_errors_that_live_has_as_well_stop_nothing() -> None:
    """The database is down for both versions, so it does not block a fix."""
    assert _worse(_calls(200, 1, errors=0.9), _calls(200, 2, errors=0.9)) == set()


def test_a_live_that_fails_quickly_does_not_stop_its_repair() -> None:
    assert _worse(_calls(100, 1), _calls(100, 2, errors=1, ms=1, memory_mb=30)) == set()


def test_twice_as_slow_is_seen() -> None:
    for seed in range(50):
        assert "duration p50" in _worse(_calls(500, seed, ms=40), _calls(500, seed + 99))


def test_a_long_tail_is_seen() -> None:
    tail = [*_calls(440, 1, noise=0.1), *_calls(60, 2, ms=400)]
    assert _worse(tail, _calls(500, 3, noise=0.1)) == {"duration p95"}


def test_more_memory_is_seen() -> None:
    assert _worse(_calls(100, 1, memory_mb=160), _calls(100, 2)) == {"memory p50"}


def test_a_slower_start_is_seen_and_cold_calls_are_not_called_slow() -> None:
    slow = _calls(60, 1, cold=12, init_ms=600)
    assert _worse(slow, _calls(60, 2, cold=12)) == {"init duration p50"}


def test_throttled_calls_are_seen() -> None:
    calls = _calls(100, 1)
    assert _worse(calls, calls, Throttled(canary=40)) == {"throttles"}
    assert _worse(calls, calls, Throttled(canary=40, live=40)) == set()


def test_where_there_is_nothing_to_compare_nothing_is_worse() -> None:
    for canary, live in (([], []), (_calls(50, 1, errors=1), []), ([], _calls(50, 1))):
        found = analysis.compare(canary, live, _LOOKS)
        assert not any(each.worse for each in found)
        assert all(each.p is None for each in found)


def test_two_calls_prove_nothing() -> None:
    assert _worse(_calls(2, 1, errors=1, ms=900), _calls(2, 2)) == set()


def test_the_exact_tests_are_exact() -> None:
    """Fisher's tea-tasting lady, and the coin: figures that textbooks have."""
    assert math.isclose(analysis.fisher(3, 4, 1, 4), 17 / 70)
    assert math.isclose(analysis.fisher(4, 4, 0, 4), 1 / 70)
    assert math.isclose(analysis.binomial(9, 10, 0.5), 11 / 1024)
    assert math.isclose(analysis.binomial(0, 10, 0.05), 1)
