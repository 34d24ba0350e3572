"""A rollback, until traffic is restored, and `terraform apply` of the old package.

What a round needs beforehand (a new bundle that serves) is not timed. With Terraform alone, callers
are back when it has applied and somebody has moved the alias; only the first is counted.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from benchmarks.deploy_time import phases_of
from benchmarks.measure import ChildFailedError, alternate, spread_of
from benchmarks.released import LOCAL, Released, released
from benchmarks.workspace import Workspace
from benchmarks.table import Measured, Row

_ROUNDS = 4
_TARGET = 0.10
_LOOK_EVERY_S = 0.02
_PATIENCE_S = 240


def measure(workspace: Workspace) -> list[Row]:
    """Roll back in turn."""
    with released(workspace, "rollback") as service:
        service.terraform_init()
        old = service.new_bundle()
        service.deploy(old)
        found = alternate(
            {
                "pipeline rollback, until live has moved": lambda _: _ours(service),
                "terraform apply": lambda _: _terraforms(service, old),
            },
            _ROUNDS,
        )
        phases = phases_of(service)
    ours, theirs = (Measured(name, "s", values) for name, values in found.items())
    ratio = spread_of(ours.values).median / spread_of(theirs.values).median
    return [
        Row(
            "rollback",
            ours,
            (theirs,),
            target=f"≤ {_TARGET:.2f}",
            ratio=ratio,
            ratio_of="ours / terraform apply",
            met=ratio <= _TARGET,
            notes=(f"the last rollback's phases, in seconds: {phases}",),
        )
    ]


def _ours(service: Released) -> float:
    service.deploy(service.new_bundle())
    before, started = service.live(), time.monotonic()
    with subprocess.Popen(
        service.project.command("rollback", *LOCAL, "--reason", "a benchmark"),
        cwd=service.project.folder,
        env=service.project.process_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while service.live() == before and process.poll() is None:
            time.sleep(_LOOK_EVERY_S)
        moved_s = time.monotonic() - started
        _, output = process.communicate(timeout=_PATIENCE_S)
    if process.returncode:
        raise ChildFailedError(f"rollback exited {process.returncode}: {output[-3_000:]}")
    return moved_s


def _terraforms(service: Released, old: Path) -> float:
    new = service.new_bundle()
    service.store(new)
    service.terraform_apply(new)
    return service.terraform_apply(old).wall_s
