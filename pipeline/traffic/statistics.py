"""What the calls of one version came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.traffic.invocations import Invocation


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the value that `share` of the values do not exceed; None if there are none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True)
class Figures:
    """What the calls of one version came to; durations are those of warm calls.

    `unknown` counts the calls whose outcome the log does not hold.
    """

    invocations: int
    errors: int
    unknown: int
    duration_p50_ms: float | None
    duration_p95_ms: float | None
    memory_used_mb: int | None
    cold_starts: int
    init_duration_p50_ms: float | None

    @classmethod
    def of(cls, seen: Sequence[Invocation]) -> Figures:
        warm = [call.duration_ms for call in seen if call.init_ms is None]
        cold = [call.init_ms for call in seen if call.init_ms is not None]
        return cls(
            invocations=len(seen),
            errors=sum(call.failed for call in seen),
            unknown=sum(not call.known for call in seen),
            duration_p50_ms=quantile(warm, 0.50),
            duration_p95_ms=quantile(warm, 0.95),
            memory_used_mb=max((call.memory_mb for call in seen if call.memory_mb), default=None),
            cold_starts=len(cold),
            init_duration_p50_ms=quantile(cold, 0.50),
        )
