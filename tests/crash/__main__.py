"""make crash: every point at which a deployment or a rollback can break, tried for real.

After that, releases under load. `--every 5` tries every fifth point, and a fifth of the load.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from localcloud import control
from tests import provider
from tests.crash import load
from tests.crash.harness import Harness, Point, called_throughout

_THERE_AND_BACK = 10
_CANARIES = 50


def main() -> int:
    """Try the points, print what did not hold, and how many held."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="try only every N-th point")
    parser.add_argument("--workers", type=int, default=2, help="clouds to work in at once")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        with ProcessPoolExecutor(options.workers) as pool:
            work = [
                pool.submit(_try, Path(folder, str(worker)), worker, options.workers, options.every)
                for worker in range(options.workers)
            ]
            results = [result for each in work for result in each.result()]
        loaded = _load(Path(folder, "load"), options.every)
    failed = [(point, problems) for point, problems in results if problems]
    for point, problems in failed:
        print(f"DID NOT HOLD {point}", *problems, sep="\n    ")
    tried, bad = Counter(p.verb for p, _ in results), Counter(p.verb for p, _ in failed)
    for verb in sorted(tried):
        print(f"{verb}: {tried[verb]} points tried, {tried[verb] - bad[verb]} held")
    print(f"all: {len(results)} points tried, {len(results) - len(failed)} held")
    for told, problems in loaded:
        print(told, *problems, sep="\n    ")
    print(f"({(time.monotonic() - started) / 60:.0f} minutes)")
    return 1 if failed or any(problems for _, problems in loaded) else 0


def _try(folder: Path, worker: int, workers: int, every: int) -> list[tuple[Point, list[str]]]:
    """Try one worker's share of the points in a cloud of its own."""
    results = []
    with _cloud(folder) as settings:
        harness = Harness.ready(folder, settings)
        with called_throughout(harness):
            points = [*harness.points("rollback"), *harness.points("deploy")]
            for point in points[worker * every :: workers * every]:
                problems = harness.hold(point)
                results.append((point, problems))
                print("BAD" if problems else "ok ", point, *problems, sep="  ", flush=True)
    return results


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
    try:
        control.up(folder / "cloud")
        settings = control.read_env(folder / "cloud")
        (folder / "provider").mkdir()
        with provider.running(settings, folder / "provider") as running:
            yield settings | running
    finally:
        control.down(folder / "cloud")


if __name__ == "__main__":
    sys.exit(main())
