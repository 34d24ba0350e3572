"""Package sizes: ours, SAM's tree zipped with -9, and our files under the best deflate there is.

SAM leaves zipping to `sam package`; `zip -9` of what it built is what a person would get at best.
Zopfli takes a hundred times as long as others to find the smallest deflated form.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.measure import run_child
from benchmarks.workspace import APPS, Workspace
from benchmarks.table import Measured, Row

_TARGET = 1.2


def measure(workspace: Workspace) -> list[Row]:
    """Compare both packages."""
    return [
        _row(
            workspace,
            "layer",
            workspace.bundle / "pymongo-layer.zip",
            workspace.ours.layer,
            workspace.sam.layer,
        ),
        _row(
            workspace,
            "function",
            workspace.bundle / "lambda_function.zip",
            workspace.ours.function,
            workspace.sam.function,
        ),
    ]


def _row(workspace: Workspace, name: str, package: Path, our_tree: Path, sams_tree: Path) -> Row:
    sams_zip = workspace.new_folder(f"size-{name}") / "sam.zip"
    run_child(["zip", "-9", "-q", "-X", "-r", sams_zip, "."], cwd=sams_tree)
    command = [workspace.peers_python, APPS / "zopfli_size.py", our_tree]
    best = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    ours, sams = package.stat().st_size, sams_zip.stat().st_size
    return Row(
        f"package size, {name}",
        Measured("ours", "bytes", (ours,)),
        (
            Measured("SAM's tree under zip -9", "bytes", (sams,)),
            Measured("our files under zopfli", "bytes", (int(best),)),
        ),
        target=f"≤ {_TARGET} of SAM's",
        ratio=ours / sams,
        ratio_of="ours / SAM",
        met=ours / sams <= _TARGET,
    )
