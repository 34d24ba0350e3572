"""Measure in alternating rounds: medians, middle halves, wall time and CPU time."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class ChildFailedError(Exception):
    """A measured command failed; the message has the end of its output."""


@dataclass(frozen=True)
class Cost:
    """What a run took: seconds on the clock, and seconds of CPU with all that it started."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Spread:
    """The median of some values, and the bounds of their middle half."""

    median: float
    low: float
    high: float


def spread_of(values: Sequence[float]) -> Spread:
    """Return the median and the quartiles of at least one value."""
    if len(values) < 2:
        [only] = values
        return Spread(only, only, only)
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def alternate[T](
    contenders: Mapping[str, Callable[[int], T]], rounds: int
) -> dict[str, tuple[T, ...]]:
    """Let each contender have its turn in each round, A B A B …; return the result of each turn.

    Whatever else the machine does meanwhile hits all of them alike. Turns get the round's number.
    """
    found: dict[str, list[T]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, turn in contenders.items():
            found[name].append(turn(number))
    return {name: tuple(values) for name, values in found.items()}


def run_child(
    command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None
) -> Cost:
    """Run a command to its end and return what it took, with the children that it waited for.

    Raises ChildFailedError unless it exits with status 0.
    """
    with tempfile.TemporaryFile() as stdout:
        started = time.monotonic()
        process = subprocess.Popen(
            [str(each) for each in command],
            cwd=cwd,
            env=dict(os.environ if env is None else env),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - started
        # Popen would wait for it again.
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            stdout.seek(0)
            output = stdout.read().decode(errors="replace")[-3_000:]
            raise ChildFailedError(f"{command[0]} … exited {process.returncode}: {output}")
    return Cost(wall_s, usage.ru_utime + usage.ru_stime)


def cpu_of_descendants_s() -> float:
    """Return the seconds of CPU that all living descendants of this process have had."""
    return sum(map(cpu_of_process_s, _descendants(os.getpid())))


def _descendants(pid: int) -> list[int]:
    found = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, _read(children).split()):
            found += [child, *_descendants(child)]
    return found


def cpu_of_process_s(pid: int) -> float:
    """Return the seconds of CPU that a process has had, of all its threads.

    Source: proc(5), /proc/<pid>/task/<tid>/schedstat, in nanoseconds.
    """
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int((_read(thread) or "0").split()[0]) for thread in threads) / 1e9


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it ended meanwhile
        return ""
