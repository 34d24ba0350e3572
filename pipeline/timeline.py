"""Phases of a deployment or rollback, with the seconds that each took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pipeline import output


@dataclass(frozen=True)
class Phase:
    """One phase; `seconds` is how long it took, whether it failed or not."""

    name: str
    seconds: float


@dataclass
class Timeline:
    """The phases so far, in order."""

    phases: list[Phase] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str, doing: str) -> Iterator[None]:
        """Time one phase, and tell people that it is under way and how it ended."""
        output.say(f"{name:<8} {doing}")
        started = time.monotonic()
        try:
            yield
        finally:
            self.phases.append(Phase(name, round(time.monotonic() - started, 3)))

    def show(self) -> None:
        """Print the timeline."""
        rows = [[phase.name, f"{phase.seconds:.1f}"] for phase in self.phases]
        rows.append(["total", f"{sum(phase.seconds for phase in self.phases):.1f}"])
        output.table("", ["phase", "seconds"], rows)
