"""make crash: every point at which a deployment or a rollback can break, tried for real.

python -m tests.crash [--every N] [--workers N]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from localcloud import control
from tests import provider
from tests.crash.harness import Harness, Point, called_throughout


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
    failed = [(point, problems) for point, problems in results if problems]
    for point, problems in failed:
        print(f"DID NOT HOLD {point}", *problems, sep="\n    ")
    tried, bad = Counter(p.verb for p, _ in results), Counter(p.verb for p, _ in failed)
    for verb in sorted(tried):
        print(f"{verb}: {tried[verb]} points tried, {tried[verb] - bad[verb]} held")
    print(f"all: {len(results)} points tried, {len(results) - len(failed)} held", end=" ")
    print(f"({(time.monotonic() - started) / 60:.0f} minutes)")
    return 1 if failed else 0


def _try(folder: Path, worker: int, workers: int, every: int) -> list[tuple[Point, list[str]]]:
    """Try one worker's share of the points in a cloud of its own."""
    folder.mkdir()
    cloud = folder / "cloud"
    results = []
    try:
        control.up(cloud)
        settings = control.read_env(cloud)
        (folder / "provider").mkdir()
        with provider.running(settings, folder / "provider") as running:
            harness = Harness.ready(folder, settings | running)
            with called_throughout(harness):
                points = [*harness.points("rollback"), *harness.points("deploy")]
                for point in points[worker * every :: workers * every]:
                    problems = harness.hold(point)
                    results.append((point, problems))
                    print("BAD" if problems else "ok ", point, *problems, sep="  ", flush=True)
    finally:
        control.down(cloud)
    return results


if __name__ == "__main__":
    sys.exit(main())
