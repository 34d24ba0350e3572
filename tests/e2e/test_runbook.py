"""The runbook's recipes, each followed as it stands there, in the trouble that it is for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import http, provider
from scratch import cloud
from scratch.mongodb import Mongod, own_mongod
from scratch.project import Project
from scratch.source import ROOT

pytestmark = pytest.mark.extended

ENVIRONMENT = ("--environment", "local")
FUNCTION = "mongo-client-local"


@pytest.fixture(scope="module")
def mongod() -> Iterator[Mongod]:
    with own_mongod() as server:
        yield server


@pytest.fixture(scope="module")
def project(
    mongod: Mongod, built_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """A project that was released, in a cloud whose database can be killed."""
    folder = tmp_path_factory.mktemp("runbook")
    with cloud.running(folder / "cloud", mongod.uri) as settings:
        with provider.running(settings) as running:
            project = Project.copy_to(folder / "project", settings | running)
            project.must("deploy", *ENVIRONMENT, "--bundle", str(built_bundle), "--all-at-once")
            yield project


def recipe(title: str) -> list[str]:
    """Return the blocks of commands of a section of the runbook."""
    section = (ROOT / "RUNBOOK.md").read_text().partition(f"\n## {title}\n")[2]
    blocks = re.findall(r"(?:^    .*\n)+", section.partition("\n## ")[0], re.MULTILINE)
    assert blocks, title
    return blocks


def follow(project: Project, block: str, **variables: str) -> str:
    """Type a block of commands as it stands, insist that it works, and return what it printed."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=project.folder,
        env=project.process_environment() | {"PATH": path, "ENVIRONMENT": "local"} | variables,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, block + done.stdout + done.stderr
    return done.stdout + done.stderr


def _releases(project: Project) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(project.must("releases", *ENVIRONMENT, "--json"))
    return found


def _release(project: Project, mark: str) -> None:
    """Release a change of the handler."""
    project.append_to_handler(f"\nMARK = '{mark}'\n")
    project.must("build")
    project.must("deploy", *ENVIRONMENT, "--all-at-once")


def test_a_first_look(project: Project) -> None:
    block = re.findall(r"(?:^    .*\n)+", (ROOT / "RUNBOOK.md").read_text(), re.MULTILINE)[0]
    _release(project, "to be compared")
    http.get(f"{project.environment['API_URL']}/api/health")
    told = follow(project, block)
    assert "START RequestId:" in told and "Method: GET, Path: /api/health" in told


def test_a_release_is_bad(project: Project) -> None:
    _release(project, "bad")
    bad = _releases(project)[0]
    block, on_github = recipe("A release is bad")
    follow(project, block)
    newest = _releases(project)[0]
    assert (newest["kind"], newest["reason"]) == ("rollback", "what you saw")
    assert newest["bundle"] != bad["bundle"]
    # What it starts is tried in tests/workflows.
    assert on_github.strip().startswith("gh workflow run rollback.yml --ref main")


def test_a_rollback_is_refused(project: Project) -> None:
    """Each refusal of the table is one that there is; choosing another release works."""
    section = (ROOT / "RUNBOOK.md").read_text().partition("## A rollback is refused")[2]
    source = "".join(path.read_text() for path in (ROOT / "pipeline").glob("*.py"))
    refusals = ("under way", "does not exist", "is not one that can be restored")
    for words in (*refusals, "takes no more updates"):
        assert words in section.partition("\n## ")[0] and words in source
    good = next(each for each in _releases(project) if each["outcome"] == "succeeded")
    _release(project, "one")
    _release(project, "two")
    done = project.run("rollback", *ENVIRONMENT, "--to", "4711")
    assert done.returncode == 1 and "release 4711 does not exist" in done.stderr
    [block] = recipe("A rollback is refused")
    follow(project, block, RELEASE=str(good["release"]))
    assert _releases(project)[0]["bundle"] == good["bundle"]


def test_the_state_is_locked(project: Project) -> None:
    s3, bucket = project.client("s3"), "mongo-client-terraform-state-123456789012"
    lock = {"ID": "3b5b", "Operation": "OperationTypeApply", "Who": "ada@desk", "Version": "1.11.4"}
    lock |= {"Info": "", "Created": "2026-01-02T03:04:05.67Z", "Path": "state"}
    key = "mongo-client/local.tfstate.tflock"
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(lock).encode())
    project.append_to_handler("\nMARK = 'locked'\n")
    project.must("build")
    done = project.run("deploy", *ENVIRONMENT, "--all-at-once")
    assert done.returncode == 1 and "error[state-locked]" in done.stderr
    [lock_id] = re.findall(r"unlock --environment local (\S+)", done.stderr)
    [block] = recipe("The state is locked")
    follow(project, block, LOCK=lock_id)
    project.must("deploy", *ENVIRONMENT, "--all-at-once")


def test_reality_and_terraform_differ(project: Project) -> None:
    """Seen with what serves, and undone with it."""
    functions = project.client("lambda")
    wanted = functions.get_function_configuration(FunctionName=FUNCTION)["MemorySize"]
    functions.update_function_configuration(FunctionName=FUNCTION, MemorySize=wanted + 64)
    see, undo = recipe("Reality and Terraform differ")
    assert "memory_size" in follow(project, see)
    serving = next(each for each in _releases(project) if each["outcome"] == "succeeded")
    follow(project, undo, BUNDLE=serving["bundle"])
    assert functions.get_function_configuration(FunctionName=FUNCTION)["MemorySize"] == wanted
    assert "No changes" in follow(project, see)


def test_a_stored_bundle_is_missing(project: Project) -> None:
    """Built again from its commit it is the same bundle, and is stored again."""
    _release(project, "lost")
    lost = _releases(project)[0]["bundle"]
    handler = project.handler.read_text()
    _release(project, "after it")
    s3, bucket = project.client("s3"), "mongo-client-artifacts-123456789012"
    s3.delete_object(Bucket=bucket, Key=f"bundles/{lost}/manifest.json")
    release = next(each for each in _releases(project) if each["bundle"] == lost)
    done = project.run("rollback", *ENVIRONMENT, "--to", str(release["release"]))
    assert done.returncode == 1 and "RUNBOOK.md" in done.stderr
    [block] = recipe("A stored bundle is missing or damaged")
    follow(project, block, BUNDLE=lost, COMMIT=_commit(project, handler))
    assert _releases(project)[0]["bundle"] == lost
    s3.head_object(Bucket=bucket, Key=f"bundles/{lost}/manifest.json")


def _commit(project: Project, handler: str) -> str:
    """Make the project a repository with a commit that has this handler; return the commit."""
    (project.folder / "Makefile").write_text(
        f".PHONY: build\nbuild:\n\t{sys.executable} -m pipeline build --out build\n"
    )
    now = project.handler.read_text()
    project.handler.write_text(handler)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    source = ["Makefile", "function.toml", "lambda_function.py", "layer", "pipeline"]
    for command in (["init", "-q"], ["add", *source], ["commit", "-qm", "then"]):
        subprocess.run([*git, *command], cwd=project.folder, check=True)
    commit = subprocess.check_output([*git, "rev-parse", "HEAD"], cwd=project.folder, text=True)
    project.handler.write_text(now)
    return commit.strip()


def test_the_database_is_down(project: Project, mongod: Mongod) -> None:
    """It is seen at the health route and in the log; afterwards nothing has to be done."""
    ask, look = recipe("The database is down")
    before = _releases(project)[0]
    mongod.kill()
    try:
        assert json.loads(follow(project, ask))["database"] == "unavailable"
        assert "database unavailable: " in follow(project, look)
    finally:
        mongod.start()
    assert json.loads(follow(project, ask))["database"] == "ok"
    assert _releases(project)[0] == before
