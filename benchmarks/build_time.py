"""Building: ours with its inspection, `sam build`, `chalice package`, and zip -9 by hand.

The same handler, the same lock, with whatever each keeps from the time before (SAM: --cached). Each
has nothing changed, then its code, then its lock, in every round; the change is a comment, after
which all have to do what they do after any other. Only ours also inspects what it built. By hand is
pip and zip, both packages each time.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Cost, alternate, run_child, spread_of
from benchmarks.workspace import Workspace
from benchmarks.table import Measured, Row
from scratch.project import Project
from scratch.source import ROOT

_ROUNDS = 5
_TARGET = 0.25
_OURS, _SAM = "build + inspect", "sam build"
_CHALICE_APP = """\
from chalice import Chalice

app = Chalice(app_name="mongo-client")


@app.lambda_function()
def serve(event, context):
    from chalicelib import lambda_function  # not when packaging, which imports the app

    return lambda_function.lambda_handler(event, context)
"""


@dataclass(frozen=True)
class Contender:
    """Where its handler and its lock are, and the commands that build."""

    handler: Path
    lock: Path
    commands: list[list[str | Path]]
    folder: Path
    environment: Mapping[str, str]

    def build(self) -> Cost:
        """Build once; return what all commands took together."""
        costs = [
            run_child(command, cwd=self.folder, env=self.environment) for command in self.commands
        ]
        return Cost(sum(cost.wall_s for cost in costs), sum(cost.cpu_s for cost in costs))


def measure(workspace: Workspace) -> list[Row]:
    """Build with each in turn, after each kind of change."""
    contenders = {
        _OURS: _ours(workspace),
        _SAM: _sams(workspace),
        "chalice package": _chalices(workspace),
        "pip and zip -9": _by_hand(workspace),
    }
    for contender in contenders.values():
        contender.build()
    return [
        _row("nothing changed", contenders, lambda each: None),
        _row("code changed", contenders, lambda each: each.handler, _TARGET),
        _row("lock changed", contenders, lambda each: each.lock),
    ]


def _row(
    what: str,
    contenders: Mapping[str, Contender],
    changed: Callable[[Contender], Path | None],
    target: float | None = None,
) -> Row:
    def turn(contender: Contender) -> Callable[[int], Cost]:
        def build(number: int) -> Cost:
            if path := changed(contender):
                with path.open("a") as file:
                    file.write(f"# change {number}\n")
            return contender.build()

        return build

    found = alternate({name: turn(each) for name, each in contenders.items()}, _ROUNDS)
    measured = {
        name: Measured(
            name, "s", tuple(cost.wall_s for cost in costs), tuple(cost.cpu_s for cost in costs)
        )
        for name, costs in found.items()
    }
    ours, sams = (spread_of(measured[name].cpu_s).median for name in (_OURS, _SAM))
    return Row(
        f"build, {what}",
        measured.pop(_OURS),
        tuple(measured.values()),
        target=f"CPU ≤ {target:.2f} of SAM's" if target else "",
        ratio=ours / sams,
        ratio_of="CPU, ours / SAM",
        met=ours / sams <= target if target else None,
    )


def _ours(workspace: Workspace) -> Contender:
    project = Project.copy_to(workspace.folder / "build-ours")
    commands = [project.command("build"), project.command("inspect")]
    lock = project.folder / "layer" / "requirements.txt"
    environment = project.process_environment()
    return Contender(
        project.handler, lock, [[*command] for command in commands], project.folder, environment
    )


def _sams(workspace: Workspace) -> Contender:
    folder = workspace.sam_project("build-sam")
    handler, lock = (
        folder / "function" / "lambda_function.py",
        folder / "layer" / "requirements.txt",
    )
    return Contender(handler, lock, [workspace.sam_build], folder, workspace.peers_environment)


def _chalices(workspace: Workspace) -> Contender:
    folder = workspace.new_folder("build-chalice")
    (folder / "app.py").write_text(_CHALICE_APP)
    stages = {"dev": {"api_gateway_stage": "api"}}
    config = {"version": "2.0", "app_name": "mongo-client", "automatic_layer": True}
    for name in (".chalice", "chalicelib"):
        (folder / name).mkdir()
    (folder / ".chalice" / "config.json").write_text(json.dumps(config | {"stages": stages}))
    (folder / "chalicelib" / "__init__.py").touch()
    handler, lock = folder / "chalicelib" / "lambda_function.py", folder / "requirements.txt"
    shutil.copy(ROOT / "lambda_function.py", handler)
    shutil.copy(ROOT / "layer" / "requirements.txt", lock)
    command: list[str | Path] = [workspace.peers / "bin" / "chalice", "package", "out"]
    return Contender(handler, lock, [command], folder, workspace.peers_environment)


def _by_hand(workspace: Workspace) -> Contender:
    folder = workspace.new_folder("build-by-hand")
    handler, lock = folder / "lambda_function.py", folder / "requirements.txt"
    shutil.copy(ROOT / "lambda_function.py", handler)
    shutil.copy(ROOT / "layer" / "requirements.txt", lock)
    script = folder / "build.sh"
    script.write_text(
        "set -e\n"
        "if ! cmp -s requirements.txt built.txt; then\n"
        "  rm -rf python\n"
        f"  {sys.executable} -m pip install --quiet --require-hashes --no-compile \\\n"
        "    --target python --requirement requirements.txt\n"
        "  cp requirements.txt built.txt\n"
        "fi\n"
        "rm -f *.zip\n"
        "zip -9 -q -X lambda_function.zip lambda_function.py\n"
        "zip -9 -q -X -r pymongo-layer.zip python\n"
    )
    return Contender(handler, lock, [["sh", script]], folder, dict(os.environ))
