"""python -m benchmarks: measure every figure (or one), and print the tables.

All of them are written to results.json; one alone is only printed. `make docs`
then writes the documents.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path

import pymongo

from benchmarks import (
    build_time,
    cold_start,
    deploy_time,
    first_answer,
    history,
    inspect_size,
    package_size,
    rollback_time,
    throughput,
    warm_call,
)
from benchmarks.workspace import Workspace
from benchmarks.table import as_json, page

_FIGURES = {
    "cold-start": cold_start.measure,
    "first-answer": first_answer.measure,
    "warm-call": warm_call.measure,
    "build": build_time.measure,
    "package-size": package_size.measure,
    "deploy": deploy_time.measure,
    "rollback": rollback_time.measure,
    "history": history.measure,
    "inspect": inspect_size.measure,
    "throughput": throughput.measure,
}
_PEERS = ("aws-sam-cli", "chalice", "aws-lambda-powertools", "mangum", "fastapi", "zopfli")
_HERE = Path(__file__).parent


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--peers", type=Path, required=True, help="their virtual environment")
    parser.add_argument("--only", choices=_FIGURES, help="measure this figure alone")
    requested = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        workspace = Workspace(Path(folder), requested.peers.resolve())
        names = [requested.only] if requested.only else list(_FIGURES)
        rows = [row for name in names for row in _FIGURES[name](workspace)]
        facts = _context(workspace)
    results = as_json(rows, facts)
    print(page(results), end="")
    if not requested.only:
        document = json.dumps(results, indent=2, ensure_ascii=False)
        (_HERE / "results.json").write_text(document + "\n")


def _context(workspace: Workspace) -> dict[str, str]:
    """Return the machine and the versions. The load shows how idle the machine was at the end."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    peers = ", ".join(f"{name} {workspace.version_of(name)}" for name in _PEERS)
    return {
        "machine": f"{os.cpu_count()} × {cpu}, {platform.system()} {platform.release()}",
        "load over the last 15 minutes": f"{os.getloadavg()[2]:.1f}",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "versions": f"Python {platform.python_version()}, pymongo {pymongo.version}, {peers}",
    }


main()
