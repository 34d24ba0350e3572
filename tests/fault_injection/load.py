"""Releases under load: nothing fails, and a canary that is as good as live is never stopped."""

from __future__ import annotations

import statistics
import subprocess
import time
from pathlib import Path

from tests.fault_injection.harness import Harness, called_throughout

# Every call takes its own time, as on a machine that others use, too; one in fifty much longer.
NOISE = """

import random as _random
import time as _time

_quiet = lambda_handler


def lambda_handler(event, context):
    _time.sleep(_random.lognormvariate(-4.5, 0.5) * (8 if _random.random() < 0.02 else 1))
    return _quiet(event, context)
"""


def noisy(folder: Path, cloud: dict[str, str]) -> Harness:
    """Release two bundles whose calls take as long as chance will have it."""
    return Harness.ready(folder, cloud, watch_s=1, least_calls=50, also=NOISE)


def there_and_back(harness: Harness, times: int) -> tuple[str, list[str]]:
    """Deploy and roll back again and again under load; return what was done and what failed."""
    problems, shares = [], []
    with called_throughout(harness):
        for _ in range(times):
            _, arguments = harness.command("deploy")
            done = harness.project.run(*arguments)
            if done.returncode != 0:
                problems.append(f"deploy exited {done.returncode}: {done.stderr[-1500:]}")
            _, arguments = harness.command("rollback")
            moved_s, error = _until_live_moves(harness, arguments)
            problems += [f"rollback failed: {error}"] if error else []
            phases = {phase.name: phase.seconds for phase in harness.releases()[0].phases}
            shares.append(moved_s / (phases["plan"] + phases["apply"]))
    # Every release there is, for the first two were made before anybody called.
    known = {release.version for release in harness.releases(1000)}
    strange = {name: n for name, n in harness.answers.items() if name not in known}
    if strange:
        problems.append(f"not from a version that the ledger knows: {strange}")
    summary = (
        f"During {times} deployments and {times} rollbacks under load, "
        f"{sum(strange.values())} of {harness.answers.total():,} requests failed; live moved back "
        f"in {statistics.median(shares):.2f} of the time that Terraform took to apply the old "
        "package."
    )
    return summary, problems


def _until_live_moves(harness: Harness, arguments: list[str]) -> tuple[float, str]:
    """Roll back; return the seconds until live pointed elsewhere, and the error if it failed."""
    before, started = harness.live(), time.monotonic()
    process = subprocess.Popen(
        harness.project.command(*arguments),
        cwd=harness.project.folder,
        env=harness.project.process_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while harness.live() == before and process.poll() is None:
        time.sleep(0.02)
    moved_s = time.monotonic() - started
    _, output = process.communicate()
    return moved_s, output[-1500:] if process.returncode else ""


def healthy_canaries(harness: Harness, count: int) -> tuple[str, list[str]]:
    """Deploy what is as good as live again and again; return how many passed, and why not."""
    problems = []
    with called_throughout(harness):
        for _ in range(count):
            _, arguments = harness.command("deploy")
            done = harness.project.run(*arguments)
            if done.returncode != 0:
                problems.append(f"a healthy canary was stopped: {done.stderr[-1500:]}")
    return f"{count - len(problems)} of {count} healthy canaries passed.", problems
