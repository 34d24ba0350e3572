"""make crash: every point at which a deployment or a rollback can break, tried for real.

After that, releases under load. `--every 5` tries every fifth point, and a fifth of the load;
`--only 'rollback.*end.json'` tries the points that it fits, and no load.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.support import provider
from scratch import cloud
from tests.fault_injection import load
from tests.fault_injection.harness import Harness, Outcome, Point, called_throughout

_THERE_AND_BACK = 10
_CANARIES = 50

Result = tuple[Point, Outcome]


def main() -> int:
    """Try the points, print what did not hold, and how many held."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault_injection", description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="try only every N-th point")
    parser.add_argument("--only", type=re.compile, help="try only the points that it is found in")
    parser.add_argument("--workers", type=int, default=4, help="clouds to work in at once")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        points = _points(Path(folder, "points"))[:: options.every]
        if options.only:
            points = [point for point in points if options.only.search(str(point))]
        with ThreadPoolExecutor(options.workers + 1) as pool:
            loaded = (
                None if options.only else pool.submit(_load, Path(folder, "load"), options.every)
            )
            work = [
                pool.submit(_try, Path(folder, str(worker)), points[worker :: options.workers])
                for worker in range(options.workers)
            ]
            results = [result for each in work for result in each.result()[0]]
            disagreeing = [problem for each in work for problem in each.result()[1]]
            loads = loaded.result() if loaded else []
    return _report(results, disagreeing, loads, time.monotonic() - started)


def _report(
    results: list[Result],
    disagreeing: list[str],
    loaded: list[tuple[str, list[str]]],
    seconds: float,
) -> int:
    """Print how it went, and a sentence that says it; return the exit status."""
    bad = [(point, outcome) for point, outcome in results if outcome.problems]
    for point, outcome in bad:
        print(f"DID NOT HOLD {point}", *outcome.problems, sep="\n    ")
    for point, outcome in results:
        if not outcome.met:
            print(f"DID NOT COME UP {point}")
    print(*disagreeing, sep="\n")
    tried = Counter(point.command for point, outcome in results if outcome.met)
    again = sum(outcome.again for _, outcome in results)
    held = sum(outcome.met and not outcome.problems for _, outcome in results)
    commands = " and ".join(f"{tried[command]} of a {command}" for command in sorted(tried))
    print(
        f"{tried.total()} points were tried, {commands}: {held} held. After {again} of them the "
        f"same command, run again, finished the rest. {' '.join(t for t, _ in loaded)} "
        f"({seconds / 60:.0f} minutes)"
    )
    for _, problems in loaded:
        print(*problems, sep="\n    ")
    failed = bad or disagreeing or any(problems for _, problems in loaded)
    return 1 if failed or tried.total() < len(results) else 0


def _points(folder: Path) -> list[Point]:
    """Return everything that can go wrong."""
    with _cloud(folder) as settings:
        harness = Harness.ready(folder, settings)
        return [*harness.points("rollback"), *harness.points("deploy")]


def _try(folder: Path, points: list[Point]) -> tuple[list[Result], list[str]]:
    """Try one worker's share of the points in a cloud of its own, and see what Terraform says."""
    results = []
    with _cloud(folder) as settings:
        harness = Harness.ready(folder, settings)
        with called_throughout(harness):
            for point in points:
                outcome = harness.hold(point)
                results.append((point, outcome))
                word = "BAD" if outcome.problems else "ok " if outcome.met else "not"
                print(word, point, *outcome.problems, sep="  ", flush=True)
        return results, harness.terraform_agrees()


def _load(folder: Path, every: int) -> list[tuple[str, list[str]]]:
    with _cloud(folder) as settings:
        harness = load.noisy(folder, settings)
        return [
            load.there_and_back(harness, max(1, _THERE_AND_BACK // every)),
            load.healthy_canaries(harness, max(1, _CANARIES // every)),
        ]


@contextmanager
def _cloud(folder: Path) -> Iterator[dict[str, str]]:
    folder.mkdir()
    with cloud.running(folder / "cloud") as settings:
        with provider.running(settings) as running:
            yield settings | running


if __name__ == "__main__":
    sys.exit(main())
