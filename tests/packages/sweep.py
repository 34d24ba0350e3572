"""One package after the other as the layer of a function: lock, build, inspect, deploy, call.

Each has a project of its own, as somebody has it who follows docs/adapting.md. `build` imports the
handler from what it built, and with it the package. A call then uses the package, in the Lambda
runtime of this machine's own cloud.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.bundle.manifest import Manifest
from pipeline.config import MANIFEST, SERVICE
from scratch.project import Project, Result
from tests.support import http

_LIST = Path(__file__).with_name("packages.toml")

# What is used of a package without an entry in the list: all that it has to import.
_ANY = """\
from importlib import import_module, metadata

MODULES = [
    module
    for module, names in metadata.packages_distributions().items()
    if {name!r} in [each.lower().replace("_", "-") for each in names]
    and module.isidentifier()
    and not module.startswith("_")
]
for module in MODULES:
    import_module(module)
"""

_HANDLER = '''\
"""Uses packages: GET /api/use/<number> is the answer of one."""

import base64
import gzip

{top}


{functions}


def handler(event, context):
    path = event["requestContext"]["http"]["path"]
    print(f"Method: GET, Path: {{path}}")
    if path == "/api/health":
        body = base64.b64encode(gzip.compress(b'{{"status": "ok"}}')).decode()
        headers = {{"content-encoding": "gzip", "content-type": "application/json"}}
        return {{"statusCode": 200, "headers": headers, "body": body, "isBase64Encoded": True}}
    return {{"answer": globals()[f"use_{{path.rpartition('/')[2]}}"]()}}
'''

# Its name is that of this repository's function, for which the cloud is set up.
_FUNCTION = """\
name         = "{name}"
handler      = "packages.handler"
runtime      = "python3.13"
architecture = "{architecture}"

[layer]
name = "packages"
"""


@dataclass(frozen=True)
class Package:
    """What is locked, and how it is used: code at the top of a handler, and an expression that
    `gives` a value. The packages of a `group` fit into one layer."""

    requirements: tuple[str, ...]
    imports: str
    answer: str
    gives: Any
    group: str = ""

    @property
    def name(self) -> str:
        return " ".join(self.requirements)


@dataclass
class Outcome:
    """How far a package got: which step failed, in which words; else what the layer is like."""

    package: Package
    seconds: float = 0.0
    zipped_bytes: int = 0
    unzipped_bytes: int = 0
    failed: str = ""
    problem: str = ""


class StepFailedError(Exception):
    """A step did not succeed."""

    def __init__(self, step: str, problem: str) -> None:
        super().__init__(f"{step}: {problem}")
        self.step, self.problem = step, problem


def listed() -> list[Package]:
    """Return the packages of the list."""
    return [_package(**entry) for entry in tomllib.loads(_LIST.read_text("utf-8"))["package"]]


def chosen(names: Iterable[str]) -> list[Package]:
    """Return packages by what is to be locked of them; those that are not listed, too."""
    known = {package.name: package for package in listed()}
    return [known.get(name) or _package(tuple(name.split())) for name in names]


def _package(
    requirements: Iterable[str],
    imports: str = "",
    answer: str = "len(MODULES) > 0",
    gives: Any = True,
    group: str = "",
) -> Package:
    requirements = tuple(requirements)
    name = requirements[0].partition("[")[0].partition("=")[0].lower().replace("_", "-")
    return Package(requirements, imports or _ANY.format(name=name), answer, gives, group)


def attempt(
    package: Package,
    folder: Path,
    cloud: Mapping[str, str] | None = None,
    architecture: str = "x86_64",
) -> Outcome:
    """Take one package through all steps, in a project in `folder`.

    `cloud` are the environment variables of this machine's own; without it nothing is deployed.
    """
    [outcome] = attempt_together([package], folder, cloud, architecture)
    return outcome


def attempt_together(
    packages: Sequence[Package],
    folder: Path,
    cloud: Mapping[str, str] | None = None,
    architecture: str = "x86_64",
) -> list[Outcome]:
    """Do the same with packages in one layer: what fails, but for a call, fails for all of them."""
    outcomes = [Outcome(package) for package in packages]
    started = time.monotonic()
    try:
        project = _project(packages, folder, cloud or {}, architecture)
        _lock(project)
        _check_import(_step("build", project.run("build")), architecture)
        _measure(outcomes, folder)
        if cloud:
            # Deploying begins with the same inspection.
            arguments = ("deploy", "--environment", "local", "--all-at-once")
            _step("deploy", project.run(*arguments))
            for number, outcome in enumerate(outcomes):
                _call(outcome, number, cloud)
        else:
            _step("inspect", project.run("inspect"))
    except StepFailedError as failure:
        for outcome in outcomes:
            outcome.failed, outcome.problem = failure.step, failure.problem
    for outcome in outcomes:
        outcome.seconds = time.monotonic() - started
    return outcomes


def _project(
    packages: Sequence[Package], folder: Path, environment: Mapping[str, str], architecture: str
) -> Project:
    project = Project.copy_to(folder, environment)
    alone = len(packages) == 1
    functions = [
        f"def use_{number}():\n"
        + ("" if alone else textwrap.indent(package.imports, "    ") + "\n")
        + f"    return {package.answer}"
        for number, package in enumerate(packages)
    ]
    top = packages[0].imports if alone else ""
    handler = _HANDLER.format(top=top, functions="\n\n\n".join(functions))
    (folder / "packages.py").write_text(handler)
    (folder / "function.toml").write_text(_FUNCTION.format(name=SERVICE, architecture=architecture))
    requirements = [requirement for package in packages for requirement in package.requirements]
    (folder / "layer/requirements.in").write_text("\n".join(requirements) + "\n")
    (folder / "layer/requirements.txt").unlink()
    # Some take long to import, and much memory.
    variables = folder / "terraform/environments/local/terraform.tfvars"
    variables.write_text(variables.read_text() + "memory_mb = 3008\ntimeout_s = 29\n")
    return project


def _lock(project: Project) -> None:
    """Lock the requirements as `make lock` does."""
    command = [str(Path(sys.prefix) / "bin" / "uv"), "pip", "compile", "--quiet", "--universal"]
    command += ["--generate-hashes", "--no-annotate", "--python-version", "3.13"]
    command += ["layer/requirements.in", "-o", "layer/requirements.txt"]
    _step("lock", subprocess.run(command, cwd=project.folder, capture_output=True, text=True))


def _step(name: str, done: Result) -> str:
    """Return a step's output. Raises StepFailedError if it failed."""
    if done.returncode != 0:
        raise StepFailedError(name, done.stderr.strip() or done.stdout.strip())
    return done.stderr


def _check_import(printed: str, architecture: str) -> None:
    """Raise StepFailedError unless the handler was imported, where this machine can."""
    if "can be imported from the built packages" not in printed and architecture == "x86_64":
        raise StepFailedError("import", printed)


def _measure(outcomes: Iterable[Outcome], folder: Path) -> None:
    """Take down how large the built packages are together."""
    packages = Manifest.from_text((folder / "build" / MANIFEST).read_text("utf-8")).packages()
    for outcome in outcomes:
        outcome.zipped_bytes = sum(package.size_bytes for package in packages)
        outcome.unzipped_bytes = sum(package.unzipped_bytes for package in packages)


def _call(outcome: Outcome, number: int, cloud: Mapping[str, str]) -> None:
    """Call the function that uses a package, and take down what is wrong with its answer."""
    status, body = http.get(f"{cloud['API_URL']}/api/use/{number}")
    if (status, body) != (200, {"answer": outcome.package.gives}):
        outcome.failed = "call"
        outcome.problem = f"{status} {body}, and not {outcome.package.gives!r}"


def table(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield "| package | zipped | unzipped | |"
    yield "|---|--:|--:|---|"
    for outcome in outcomes:
        sizes = [_megabytes(outcome.zipped_bytes), _megabytes(outcome.unzipped_bytes)]
        problem = " ".join(outcome.problem.split()).replace("|", "/")
        result = (
            f"**{outcome.failed}**: {textwrap.shorten(problem, 160)}" if outcome.failed else "works"
        )
        yield f"| {outcome.package.name} | {sizes[0]} | {sizes[1]} | {result} |"


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes else ""
