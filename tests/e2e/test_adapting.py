"""Follow docs/adapting.md literally: another function, with a layer, and then without."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from localcloud import lifecycle
from pipeline import scaffold
from tests.support import http, provider
from scratch.project import Project
from scratch.source import ROOT

pytestmark = pytest.mark.extended

ENVIRONMENT = ("--environment", "local")


def _blocks() -> list[str]:
    """Return the commands of the document, block by block."""
    text = (ROOT / "docs/adapting.md").read_text()
    found = re.findall(r"(?:^(?:    .*)?\n)+", text, re.MULTILINE)
    return [textwrap.dedent(each) for each in found if each.strip()]


def _copy_to(folder: Path) -> Project:
    """Make a copy of the project, with a history of its own, and an environment of its own."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"]
    for name in filter(None, subprocess.check_output(listed, text=True).split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    git = ["git", "-C", str(folder), "-c", "user.name=somebody", "-c", "user.email=@"]
    for arguments in (["init"], ["add", "--all"], ["commit", "--message", "copy"]):
        subprocess.run([*git, *arguments], check=True, stdout=subprocess.DEVNULL)
    # What mypy knows of the files that are the same here. It is replaced while somebody runs mypy.
    with suppress(OSError, shutil.Error):
        shutil.copytree(ROOT / ".mypy_cache", folder / ".mypy_cache")
    _write_environment(folder / ".venv")
    # There is one test.
    tools = {"PATH": f"{folder / '.venv/bin'}:{os.environ['PATH']}"}
    return Project(folder, tools | {"PYTEST_XDIST_AUTO_NUM_WORKERS": "1"})


def _write_environment(folder: Path) -> None:
    """Write a virtual environment that has all of this one, and takes what is installed into it."""
    base = getattr(sys, "_base_executable")
    subprocess.run([base, "-m", "venv", "--without-pip", str(folder)], check=True)
    ours, packages = Path(sys.prefix), Path(sysconfig.get_path("purelib"))
    (folder / packages.relative_to(ours) / "ours.pth").write_text(str(packages))
    parts = ("bin/*", "ready-*", "share", "checkov", "client", "axe")
    for path in [path for part in parts for path in ours.glob(part)]:
        place = folder / path.relative_to(ours)
        if not place.exists():
            place.symlink_to(path)


def _type(project: Project, block: str) -> str:
    """Type a block of commands, insist that it works, and return what it printed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=project.folder,
        # Its make is not a part of the make that runs the tests.
        env={
            name: value
            for name, value in project.process_environment().items()
            if name not in ("MAKEFLAGS", "MAKELEVEL", "T", "TIER")
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, block + done.stdout + done.stderr
    return done.stdout


@dataclass
class Followed:
    """The copy, and what each block of commands printed in it."""

    project: Project
    printed: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    """Follow the document to its end."""
    project = _copy_to(tmp_path_factory.mktemp("your-own") / "orders")
    cloud = project.folder / ".localcloud"
    *before, release = _blocks()
    assert before[-1].strip() == "make up" and "deploy" in release
    found = Followed(project)
    try:
        found.printed += [_type(project, block) for block in before]
        settings = lifecycle.read_env(cloud)
        with provider.running(settings) as running:
            project.environment |= settings | running
            found.printed.append(_type(project, release))
            yield found
    finally:
        lifecycle.down(cloud)


@pytest.fixture(scope="module")
def project(followed: Followed) -> Project:
    return followed.project


def test_the_document_leads_to_a_release(followed: Followed) -> None:
    """The function answers the last command; it has no finding, and its own call was made."""
    project = followed.project
    assert json.loads(followed.printed[-1].splitlines()[-1]) == {"hello": "you"}
    inspected = project.must("inspect")
    assert inspected.endswith("no findings\n")
    assert "orders.zip" in inspected and "packages-layer.zip" in inspected
    log = project.must("logs", *ENVIRONMENT, "--since", "1h")
    assert "Method: GET, Path: /api/hello/you" in log
    [release] = json.loads(project.must("releases", *ENVIRONMENT, "--json"))
    assert release["outcome"] == "succeeded"


def test_make_checks_it_and_runs_its_own_test(followed: Followed) -> None:
    """It lints the handler's file and its test, with the types of the packages it imports."""
    [printed] = [line for line in followed.printed if "passed" in line]
    assert "3 passed" in printed and "-m mypy" in printed
    [linted] = re.findall(r"-m flake8 .*", printed)
    assert {"orders.py", "tests"} <= set(linted.split())
    assert "No such file" not in printed


def test_it_can_lose_its_layer_and_go_back(project: Project) -> None:
    """The layer goes with the release, and comes back with the rollback; Terraform agrees twice."""
    plain = scaffold.TEMPLATES / "plain" / "handler.py.tmpl"
    (project.folder / "orders.py").write_text(plain.read_text().replace("$name", "orders"))
    function = project.folder / "function.toml"
    function.write_text(re.sub(r"\[layer\].*\nname.*\n", "", function.read_text()))
    shutil.rmtree(project.folder / "layer")
    project.must("build")
    assert "layer" not in project.must("inspect")
    project.must("deploy", *ENVIRONMENT, "--all-at-once")
    assert _answer(project) == (200, {"hello": "you"})
    assert not _serving(project).get("Layers")
    assert project.must("plan", *ENVIRONMENT, "--bundle", "live").startswith("No changes.")
    project.must("rollback", *ENVIRONMENT, "--reason", "the layer is missed")
    assert _answer(project) == (200, {"hello": "you"})
    [layer] = _serving(project)["Layers"]
    assert layer["Arn"].split(":")[-2] == "orders-local-packages"
    assert project.must("plan", *ENVIRONMENT, "--bundle", "live").startswith("No changes.")


def test_its_release_page_knows_a_release_without_a_layer(project: Project) -> None:
    project.must("page", *ENVIRONMENT, "--out", "page")
    assert "orders.zip" in (project.folder / "page" / "index.html").read_text()


def _answer(project: Project) -> object:
    reply = http.get(f"{project.environment['API_URL']}/api/hello/you")
    return reply


def _serving(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = project.client("lambda").get_function_configuration(
        FunctionName="orders-local", Qualifier="live"
    )
    return found
