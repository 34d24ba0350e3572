"""The gate: is the canary worse than what live does at the same time?

The rule. Both versions are called in the same minutes, so whatever hits both (a slow database, a
busy hour, an alarm that fires already) counts for neither. A figure stops the canary only if it is
worse by more than its margin and chance is no explanation: an exact one-sided test, at a level at
which a canary that is just as good as live is stopped in one deployment out of a hundred at most,
all figures and looks together (Bonferroni's correction).

- Errors: Fisher's exact test on failed and good calls of both.
- Unknown: the same test on calls whose outcome the log does not hold. They count neither as failed
  nor as good. Both tests share the level of one figure.
- A quantile (median, 95th percentile) of duration, memory or init duration: were the canary as good
  as live, no more than half (a twentieth) of its calls would lie above live's quantile. How many
  lie above that quantile plus the margin is compared with the binomial distribution; the margin
  is also what covers that live's quantile was measured, too (of 20 calls at least, of 5 cold ones).
  Only calls that did well count (a broken live answers quickly), and for durations only warm ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, lgamma, log

from pipeline.traffic.invocations import Invocation
from pipeline.traffic.statistics import quantile

_FALSE_STOPS = 0.01


@dataclass(frozen=True)
class _Quantile:
    """A figure of single calls, with how much worse it may be: a factor, and something on top.

    Live's quantile counts if it is of `fewest` calls at least: of fewer it is anybody's guess.
    """

    name: str
    unit: str
    of: Callable[[Invocation], float | None]
    share: float
    factor: float
    on_top: float
    fewest: int = 20


def _warm_ms(call: Invocation) -> float | None:
    return call.duration_ms if call.init_ms is None else None


_QUANTILES = (
    _Quantile("duration p50", "ms", _warm_ms, 0.50, 1.5, 0),
    _Quantile("duration p95", "ms", _warm_ms, 0.95, 1.5, 10),
    _Quantile("memory p50", "MB", lambda call: call.memory_mb, 0.50, 1.25, 8),
    _Quantile("init duration p50", "ms", lambda call: call.init_ms, 0.50, 1.5, 50, 5),
)


_FIGURES = 2 + len(_QUANTILES)  # errors with unknown, throttles


@dataclass(frozen=True)
class Comparison:
    """One figure of both versions; `p` is how likely such a difference is by chance alone.

    `p` is None where one of them has no calls to compare.
    """

    figure: str
    unit: str
    canary: float | None
    live: float | None
    p: float | None
    worse: bool

    def in_words(self) -> str:
        parts = [f"{_number(value)}{self.unit}" for value in (self.canary, self.live)]
        return f"{self.figure} {parts[0]}, live {parts[1]}"


@dataclass(frozen=True)
class Throttled:
    """How many calls of each version were throttled, in addition to those that ran."""

    canary: int = 0
    live: int = 0


def compare(
    canary: Sequence[Invocation],
    live: Sequence[Invocation],
    looks: int,
    throttled: Throttled = Throttled(),
) -> list[Comparison]:
    """Compare calls of both versions, made in the same time; a deployment has `looks` of these."""
    level = _FALSE_STOPS / (_FIGURES * looks)
    failed = [sum(call.failed for call in calls) for calls in (canary, live)]
    known = [sum(call.known for call in calls) for calls in (canary, live)]
    unknown = [len(canary) - known[0], len(live) - known[1]]
    tried = [len(canary) + throttled.canary, len(live) + throttled.live]
    return [
        _rates("errors", failed, known, level / 2),
        _rates("unknown", unknown, [len(canary), len(live)], level / 2),
        _rates("throttles", [throttled.canary, throttled.live], tried, level),
        *(_quantiles(figure, canary, live, level) for figure in _QUANTILES),
    ]


def summary(canary: Sequence[Invocation], live: Sequence[Invocation]) -> str:
    """Return one line with what was compared: how many calls, errors, p95 and memory of both."""
    both = [_summary(calls) for calls in (canary, live)]
    return f"canary {both[0]}; live {both[1]}"


def _summary(calls: Sequence[Invocation]) -> str:
    good = [call for call in calls if call.known and not call.failed]
    warm = [value for call in good if (value := _warm_ms(call)) is not None]
    memory = [call.memory_mb for call in good if call.memory_mb is not None]
    unknown = sum(not call.known for call in calls)
    words = [
        f"{len(calls)} call{'s' * (len(calls) != 1)}",
        f"{sum(call.failed for call in calls)} failed",
        *([f"{unknown} unknown"] if unknown else []),
        f"p95 {_number(quantile(warm, 0.95))} ms",
        f"memory {_number(quantile(memory, 0.5))} MB",
    ]
    return ", ".join(words)


def _rates(figure: str, bad: list[int], tried: list[int], level: float) -> Comparison:
    shares = [100 * count / of if of else None for count, of in zip(bad, tried, strict=True)]
    p = fisher(bad[0], tried[0], bad[1], tried[1]) if all(tried) else None
    return Comparison(figure, " %", shares[0], shares[1], p, p is not None and p < level)


def _quantiles(
    figure: _Quantile, canary: Sequence[Invocation], live: Sequence[Invocation], level: float
) -> Comparison:
    seen, known = (
        [
            value
            for call in calls
            if call.known and not call.failed and (value := figure.of(call)) is not None
        ]
        for calls in (canary, live)
    )
    both = quantile(seen, figure.share), quantile(known, figure.share)
    p = None
    if both[0] is not None and both[1] is not None and len(known) >= figure.fewest:
        limit = both[1] * figure.factor + figure.on_top
        p = binomial(sum(value > limit for value in seen), len(seen), 1 - figure.share)
    worse = p is not None and p < level
    return Comparison(figure.name, f" {figure.unit}", both[0], both[1], p, worse)


def fisher(bad: int, tried: int, other_bad: int, other_tried: int) -> float:
    """Return how likely `bad` or more of `tried` are bad by chance, if both are equally good.

    Fisher's exact test, one-sided: the tail of the hypergeometric distribution.
    """
    all_bad, everything = bad + other_bad, tried + other_tried
    most = min(tried, all_bad)
    return min(
        1.0,
        sum(
            exp(
                _log_choose(all_bad, index)
                + _log_choose(everything - all_bad, tried - index)
                - _log_choose(everything, tried)
            )
            for index in range(bad, most + 1)
            if tried - index <= everything - all_bad
        ),
    )


def binomial(hits: int, tried: int, chance: float) -> float:
    """Return how likely `hits` or more of `tried` are, if each hits with `chance`."""
    return min(
        1.0,
        sum(
            exp(_log_choose(tried, index) + index * log(chance) + (tried - index) * log(1 - chance))
            for index in range(hits, tried + 1)
        ),
    )


def _log_choose(of: int, picked: int) -> float:
    return lgamma(of + 1) - lgamma(picked + 1) - lgamma(of - picked + 1)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
