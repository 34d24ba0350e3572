"""A cold start: our bundle, the same handler with SAM's layer, and a handler that does nothing.

All three run in AWS's own runtime emulator with AWS's Python runtime, always in a new process; it
says itself how long initialisation took (`INIT REPORT(durationMs: …)`). The handler and the locked
dependencies are the same in both. What starts before them is the floor, and taken off.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import alternate, cpu_of_descendants_s, spread_of
from benchmarks.workspace import APPS, Workspace
from benchmarks.table import Measured, Row
from localcloud import downloads
from localcloud.runtime.execution_environment import Container, FunctionVersion

_ROUNDS = 25
_TARGET = 0.20
_OURS, _SAM, _FLOOR = "our bundle", "SAM's build", "bare handler"
_LIBRARY = "what of the standard library ours imports, alone"
# Prints what importing the handler adds of the standard library to what the runtime has imported.
_TELL = """
import sys, awslambdaric.bootstrap
before = set(sys.modules)
import lambda_function
added = [name for name in sys.modules if name not in before]
print(*(n for n in added if n.partition(".")[0] in sys.stdlib_module_names and n[0] != "_"))
"""


def measure(workspace: Workspace) -> list[Row]:
    """Start each in turn."""
    turns = {
        _OURS: _start(workspace.ours.function, (workspace.ours.layer,)),
        _SAM: _start(workspace.sam.function, (workspace.sam.layer,)),
        _FLOOR: _start(APPS, (), "bare.lambda_handler"),
        _LIBRARY: _start(_standard_library(workspace), ()),
    }
    for turn in turns.values():
        turn(0)  # once, so that the files are in memory
    found = {
        name: Measured(name, "s", *zip(*values, strict=True))
        for name, values in alternate(turns, _ROUNDS).items()
    }
    ours, sam, floor, library = (spread_of(found[name].values).median for name in turns)
    ratio = (ours - floor) / (sam - floor)
    least = (library - floor) / (sam - floor)
    return [
        Row(
            "cold start",
            found[_OURS],
            (found[_SAM], found[_FLOOR], found[_LIBRARY]),
            target=f"above the floor ≤ {_TARGET:.2f} of SAM's",
            ratio=ratio,
            ratio_of="above the floor, ours / SAM",
            met=ratio <= _TARGET,
            notes=(
                f"the standard library alone has {least:.2f}: asyncio, ssl and others, which "
                "pymongo imports whatever a program needs of it",
            ),
        )
    ]


def _standard_library(workspace: Workspace) -> Path:
    """Write a handler that imports of the standard library what ours does, and nothing else."""
    imports = [workspace.ours.function, workspace.ours.layer / "python", downloads.RUNTIME_PACKAGES]
    names = subprocess.run(
        [sys.executable, "-S", "-c", _TELL],
        env={"PYTHONPATH": ":".join(map(str, imports)), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    folder = workspace.new_folder("standard-library")
    bare = (APPS / "bare.py").read_text()
    imported = "\n".join(f"import {name}" for name in names)
    (folder / "lambda_function.py").write_text(f"{bare}\n{imported}\n")
    return folder


def _start(
    function: Path, layers: tuple[Path, ...], handler: str = "lambda_function.lambda_handler"
) -> Callable[[int], tuple[float, float]]:
    """Return a turn that gives a start's seconds, and the CPU seconds until the first answer."""

    def turn(_: int) -> tuple[float, float]:
        container = Container(version_of(function, layers, handler), "eu-central-1")
        try:
            called = container.invoke(b"{}")
            assert called.init_ms is not None and not called.function_error, called.log
            return called.init_ms / 1_000, cpu_of_descendants_s()
        finally:
            container.stop()

    return turn


def version_of(
    function: Path,
    layers: tuple[Path, ...],
    handler: str = "lambda_function.lambda_handler",
    environment: tuple[tuple[str, str], ...] = (),
) -> FunctionVersion:
    """Describe a function to the emulator, as it is configured in terraform/."""
    return FunctionVersion(
        function_name="mongo-client-local",
        version="1",
        code_sha256="",
        task_root=function,
        layer_roots=layers,
        handler=handler,
        timeout_s=10,
        memory_mb=256,
        environment=environment,
        log_group="/aws/lambda/mongo-client-local",
        log_format="Text",
        last_modified="",
    )
