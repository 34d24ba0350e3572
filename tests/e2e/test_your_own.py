"""YOUR-OWN.md, followed as it stands there: another function, with a layer, and then without."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from localcloud import lifecycle
from tests.support import http, provider
from scratch.project import Project
from scratch.source import ROOT

pytestmark = pytest.mark.extended

ENVIRONMENT = ("--environment", "local")


def _blocks() -> list[str]:
    """Return the commands of the document, block by block."""
    text = (ROOT / "YOUR-OWN.md").read_text()
    found = re.findall(r"(?:^(?:    .*)?\n)+", text, re.MULTILINE)
    return [textwrap.dedent(each) for each in found if each.strip()]


def _copy_to(folder: Path) -> Project:
    """Make a copy of the project, with a history of its own."""
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
    tools = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "VENV": sys.prefix}
    # There is one test.
    tools["PYTEST_XDIST_AUTO_NUM_WORKERS"] = "1"
    return Project(folder, tools)


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
    folder = tmp_path_factory.mktemp("your-own")
    project = _copy_to(folder / "resolver")
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
    assert json.loads(followed.printed[-1].splitlines()[-1]) == {"parent": "b.example."}
    assert project.must("inspect").endswith("no findings\n")
    assert "resolver.zip" in project.must("inspect") and "dns-layer.zip" in project.must("inspect")
    log = project.must("logs", *ENVIRONMENT, "--since", "1h")
    assert "Method: POST, Path: /api/parent" in log
    [release] = json.loads(project.must("releases", *ENVIRONMENT, "--json"))
    assert release["outcome"] == "succeeded"


def test_make_checks_it_and_runs_its_own_test(followed: Followed) -> None:
    """It lints the handler's file and its test."""
    [printed] = [each for each in followed.printed if "passed in" in each]
    assert "1 passed in" in printed and "-m mypy" in printed
    [linted] = re.findall(r"-m flake8 .*", printed)
    assert {"resolver.py", "tests"} <= set(linted.split())


def test_it_can_lose_its_layer_and_go_back(project: Project) -> None:
    """The layer goes with the release, and comes back with the rollback; Terraform agrees twice."""
    handler, function = project.folder / "resolver.py", project.folder / "function.toml"
    without = handler.read_text().replace("import dns.name\n", "")
    without = re.sub(r" +name = dns.*\n", "", without)
    parent = 'json.loads(event["body"])["name"].partition(".")[2] + "."'
    handler.write_text(without.replace("name.parent().to_text()", parent))
    function.write_text(function.read_text().replace('[layer]\nname = "dns"\n', ""))
    shutil.rmtree(project.folder / "layer")
    project.must("build")
    assert "layer" not in project.must("inspect")
    project.must("deploy", *ENVIRONMENT, "--all-at-once")
    assert _answer(project) == (200, {"parent": "b.example."})
    assert not _serving(project).get("Layers")
    assert project.must("plan", *ENVIRONMENT, "--bundle", "live").startswith("No changes.")
    project.must("rollback", *ENVIRONMENT, "--reason", "the layer is missed")
    assert _answer(project) == (200, {"parent": "b.example."})
    [layer] = _serving(project)["Layers"]
    assert layer["Arn"].split(":")[-2] == "resolver-local-dns"
    assert project.must("plan", *ENVIRONMENT, "--bundle", "live").startswith("No changes.")


def test_its_release_page_knows_a_release_without_a_layer(project: Project) -> None:
    project.must("page", *ENVIRONMENT, "--out", "page")
    assert "resolver.zip" in (project.folder / "page" / "index.html").read_text()


def _answer(project: Project) -> object:
    return http.post(f"{project.environment['API_URL']}/api/parent", {"name": "a.b.example"})


def _serving(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = project.client("lambda").get_function_configuration(
        FunctionName="resolver-local", Qualifier="live"
    )
    return found
