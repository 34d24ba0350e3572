"""Phases of a deployment or rollback, with the seconds that each took."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

log = logging.getLogger(__name__)


_TICKS_S = (1, 2, 5, 10, 30)


@dataclass(frozen=True)
class Phase:
    """One phase; `seconds` is how long it took, whether it failed or not."""

    name: str
    seconds: float


@dataclass
class Timeline:
    """The phases so far, in order, and the name of the one that failed."""

    phases: list[Phase] = field(default_factory=list)
    failed: str | None = None

    @contextmanager
    def phase(self, name: str, doing: str) -> Iterator[None]:
        """Time one phase, and report its start."""
        log.info(f"{name:<8} {doing}")
        started = time.monotonic()
        try:
            yield
        except BaseException:
            self.failed = name
            raise
        finally:
            self.phases.append(Phase(name, round(time.monotonic() - started, 3)))

    @property
    def seconds(self) -> float:
        """How long all phases took together."""
        return sum(phase.seconds for phase in self.phases)

    def to_mermaid(self) -> list[str]:
        """Return the lines of a Mermaid picture; the phase that failed is marked in it.

        Each phase is a section: the text of a task may not be any word (`call` and `click` are
        commands), that of a section may. Times are whole milliseconds (`x`), for fractions are
        refused, and the axis counts seconds from 0 (`%s`) in every time zone.
        https://mermaid.js.org/syntax/gantt.html
        """
        tick_s = next(
            (candidate_s for candidate_s in _TICKS_S if self.seconds <= 10 * candidate_s), 60
        )
        lines = ["gantt", "    dateFormat x", "    axisFormat %s s"]
        lines += [f"    tickInterval {tick_s}second", "    todayMarker off"]
        start_ms = 0
        for phase in self.phases:
            end_ms = start_ms + round(1000 * phase.seconds)
            mark = "crit, " if phase.name == self.failed else ""
            name = re.sub(r"[^A-Za-z0-9 _.-]", " ", phase.name).strip() or "unnamed"
            lines.append(f"    section {name}")
            lines.append(f"    {phase.seconds:.1f} s :{mark}{start_ms}, {end_ms}")
            start_ms = end_ms
        return lines
