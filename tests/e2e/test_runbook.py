"""The runbook's recipes, each followed as it stands there, in the trouble that it is for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config import Environment
from pipeline.release import rollback_target
from pipeline.release.ledger import Ledger, Release
from pipeline.target import Target
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
    """A project that was released twice, in a cloud whose database can be killed."""
    folder = tmp_path_factory.mktemp("runbook")
    with cloud.running(folder / "cloud", mongod.uri) as settings:
        with provider.running(settings) as running:
            project = Project.copy_to(folder / "project", settings | running)
            shutil.copytree(built_bundle, project.folder / "build")
            project.must("deploy", *ENVIRONMENT, "--all-at-once")
            _build(project, "the second release")
            project.must("deploy", *ENVIRONMENT, "--all-at-once")
            yield project


def recipe(title: str) -> list[str]:
    """Return the blocks of commands of a section of the runbook."""
    section = (ROOT / "docs/runbook.md").read_text().partition(f"\n## {title}\n")[2]
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
    )
    assert done.returncode == 0, block + done.stdout + done.stderr
    return done.stdout + done.stderr


def _releases(project: Project) -> list[Release]:
    """Return the ledger, newest first."""
    return list(Ledger(Target(project.account(), Environment("local"))).releases())


def _build(project: Project, mark: str) -> None:
    """Build a change of the handler."""
    project.append_to_handler(f"\nMARK = '{mark}'\n")
    project.must("build")


def test_a_first_look(project: Project) -> None:
    block = re.findall(r"(?:^    .*\n)+", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)[0]
    http.get(f"{project.environment['API_URL']}/api/health")
    printed = follow(project, block)
    assert "START RequestId:" in printed and "Method: GET, Path: /api/health" in printed
    assert "#2 (v2)" in printed and "#1 (v1)" in printed


def test_a_stored_bundle_is_missing(project: Project) -> None:
    """Built again from its commit it is the same bundle, and is stored again."""
    first = _releases(project)[-1]
    lost = first.bundle
    s3, bucket = project.client("s3"), "mongo-client-artifacts-123456789012"
    s3.delete_object(Bucket=bucket, Key=f"bundles/{lost}/manifest.json")
    done = project.run("rollback", *ENVIRONMENT, "--to", str(first.number))
    assert done.returncode == 1 and "docs/runbook.md" in done.stderr
    [block] = recipe("A stored bundle is missing or damaged")
    handler = (ROOT / "lambda_function.py").read_text()
    follow(project, block, BUNDLE=lost, COMMIT=_commit(project, handler))
    assert _releases(project)[0].bundle == lost
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


def test_a_release_is_bad_and_the_next_rollback_is_refused(project: Project) -> None:
    """The first rollback restores the release before; then there is none, and a person chooses."""
    bad = _releases(project)[0]
    block, on_github = recipe("A release is bad")
    follow(project, block)
    newest = _releases(project)[0]
    assert (newest.kind, newest.reason) == ("rollback", "what you saw")
    assert newest.bundle != bad.bundle
    # The workflow that it starts is tested in tests/workflows.
    assert on_github.strip().startswith("gh workflow run rollback.yml --ref main")

    done = project.run("rollback", *ENVIRONMENT, "--reason", "impatience")
    assert done.returncode == 1 and re.search(r"no release before #\d can be restored", done.stderr)
    choices = re.findall(r"^ +#(\d+) .* bundle ", done.stderr, re.MULTILINE)
    [block] = recipe("A rollback is refused")
    follow(project, block, RELEASE=choices[0])
    assert _releases(project)[0].bundle == bad.bundle


def test_what_is_pending_of_a_rollback_is_finished(project: Project) -> None:
    serving = next(release for release in _releases(project) if release.outcome == "succeeded")
    earlier = next(
        release
        for release in _releases(project)
        if rollback_target.may_be_asked_for(release, serving) and release.kind == "deploy"
    )
    to = ("--to", str(earlier.number), "--reason", "the recipe")
    project.must("rollback", *ENVIRONMENT, *to, "--only", "traffic")
    assert _releases(project)[0].pending == ("terraform",)
    [block] = recipe("Traffic is back, and the rollback's job failed")
    follow(project, block)
    assert _releases(project)[0].pending == ()


def test_each_refusal_of_the_runbook_exists() -> None:
    """In the section, and in the pipeline's source."""
    section = (ROOT / "docs/runbook.md").read_text().partition("## A rollback is refused")[2]
    source = "".join(path.read_text() for path in (ROOT / "pipeline").rglob("*.py"))
    for words in (
        *("under way", "does not exist", "cannot be restored"),
        *("no release before", "takes no more updates"),
        *("its run could not be cancelled", "the attestation"),
    ):
        assert words in section.partition("\n## ")[0] and words in source


def test_the_state_is_locked(project: Project) -> None:
    s3, bucket = project.client("s3"), "mongo-client-terraform-state-123456789012"
    lock = {"ID": "3b5b", "Operation": "OperationTypeApply", "Who": "ada@desk", "Version": "1.11.4"}
    lock |= {"Info": "", "Created": "2026-01-02T03:04:05.67Z", "Path": "state"}
    key = "mongo-client/local.tfstate.tflock"
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(lock).encode())
    _build(project, "locked")
    done = project.run("deploy", *ENVIRONMENT, "--all-at-once")
    assert done.returncode == 1 and "error[state-locked]" in done.stderr
    [lock_id] = re.findall(r"unlock --environment local (\S+)", done.stderr)
    [block] = recipe("The state is locked")
    follow(project, block, LOCK=lock_id)
    project.must("deploy", *ENVIRONMENT, "--all-at-once")


def test_reality_and_terraform_differ(project: Project) -> None:
    """The bundle that serves makes the difference visible, and undoes it."""
    functions = project.client("lambda")
    wanted = functions.get_function_configuration(FunctionName=FUNCTION)["MemorySize"]
    functions.update_function_configuration(FunctionName=FUNCTION, MemorySize=wanted + 64)
    see, undo = recipe("AWS and Terraform differ")
    assert "memory_size" in follow(project, see)
    serving = next(release for release in _releases(project) if release.outcome == "succeeded")
    follow(project, undo, BUNDLE=serving.bundle)
    assert functions.get_function_configuration(FunctionName=FUNCTION)["MemorySize"] == wanted
    assert "No changes" in follow(project, see)


def test_the_database_is_down(project: Project, mongod: Mongod) -> None:
    """The health route and the log say so; afterwards nothing has to be done."""
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
