"""What stops a pull request, and what it says then: scripts of ci.yml, and the job without a role.

A pull request that goes well is in test_change.py, which steps and jobs run in test_conditions.py.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scratch.project import Project
from tests.support import provider
from tests.workflows import deployed, events
from tests.workflows.runner import Runner, Script, on_a_hub

pytestmark = pytest.mark.extended

# What the pull request's branch is at; what is checked out is a merge of it.
HEAD = "5ca1ab1e" * 5
BUILD = ("ci.yml", "build", "Compile the handler and build the bundle")
GUARDED = ("aws_lambda_function.service", "aws_lambda_alias.live", "aws_lambda_permission.api")


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """A repository on a hub, where nothing needs a cloud."""
    with on_a_hub(tmp_path_factory.mktemp("pull-request"), {}) as runner:
        yield runner


def _in_clone(runner: Runner) -> Project:
    return Project(runner.repository.clone)


def test_a_syntax_error_is_marked_at_its_line(runner: Runner) -> None:
    """Lint marks it, and so does the compiler of the deployed Python."""
    runner.repository.start("syntax-error")
    handler = runner.repository.clone / "lambda_function.py"
    line = len(handler.read_text().splitlines()) + 2
    runner.repository.append("lambda_function.py", "\ndef broken(:\n")
    lint = runner.script("ci.yml", "lint", "Lint", project=_in_clone(runner))
    build = runner.script(*BUILD, project=_in_clone(runner))
    runner.repository.back_to_main()
    for done in (lint, build):
        assert not done.succeeded
        assert f"::error file=lambda_function.py,line={line}," in done.log


def test_a_failing_test_is_marked_at_its_line(runner: Runner) -> None:
    runner.repository.start("failing-test")
    runner.repository.replace(
        "tests/handler/test_health.py", "reply.status == 200", "reply.status == 418"
    )
    done = runner.script("ci.yml", "test", "Test", project=_in_clone(runner))
    runner.repository.back_to_main()
    assert not done.succeeded
    [found] = [line for line in done.log.splitlines() if line.startswith("::error file=")]
    assert "file=tests/handler/test_health.py,line=" in found and "418" in found


def test_an_extra_file_in_the_package_stops_at_the_inspection(
    runner: Runner, built_bundle: Path
) -> None:
    runner.repository.start("extra-file")
    runner.repository.replace(
        "pipeline/packaging/builder.py",
        "zip_writer.write_zip(files)",
        'zip_writer.write_zip(files | {"notes.txt": b"oops"})',
    )
    # The layer is taken from there.
    shutil.copytree(built_bundle, runner.repository.clone / "bundle")
    build = runner.script(*BUILD, project=_in_clone(runner))
    inspect = runner.script("ci.yml", "build", "Inspect", project=_in_clone(runner))
    shutil.rmtree(runner.repository.clone / "bundle")
    runner.repository.back_to_main()
    assert build.succeeded and not inspect.succeeded
    assert any("notes.txt" in line for line in inspect.log.splitlines() if "::error" in line)


@pytest.mark.parametrize("same", [True, False])
def test_the_bundles_of_both_images_must_be_the_same(
    same: bool, runner: Runner, built_bundle: Path, tmp_path: Path
) -> None:
    for image in ("ubuntu-24.04", "ubuntu-26.04"):
        shutil.copytree(built_bundle, tmp_path / f"bundle-{image}")
    if not same:
        with (tmp_path / "bundle-ubuntu-26.04" / "lambda_function.zip").open("ab") as package:
            package.write(b"\0")
    done = runner.script("ci.yml", "same-bytes", "Compare", project=Project(tmp_path))
    assert done.succeeded == same
    assert ("::error::The two runner images built different bundles" in done.log) != same


@pytest.mark.parametrize(
    "event", [{"repository": "somebody/mongo-client"}, {"author": "dependabot[bot]"}]
)
def test_a_pull_request_without_a_role_says_how_to_run_everything(
    runner: Runner, event: dict[str, str]
) -> None:
    """GitHub keeps the variables from a fork as well: they do not say what is missing."""
    opened = events.pull_request(6, HEAD, **event)
    run = runner.run("pull_request", "ci.yml", opened, job="no-plan")
    assert run.succeeded, run.why()
    [notice] = [annotation["message"] for annotation in run.annotations]
    assert "gh pr checkout 6" in notice and "variables" not in notice
    assert "gh pr checkout 6" in run.summary


def test_without_variables_the_plan_is_skipped_with_a_notice(runner: Runner) -> None:
    opened = events.pull_request(9, HEAD)
    run = runner.run("pull_request", "ci.yml", opened, job="no-plan", variables=False)
    [notice] = [annotation["message"] for annotation in run.annotations]
    assert "AWS_ACCOUNT_ID, AWS_REGION, AWS_ROLE_PREFIX and SERVICE are not set" in notice


def test_a_plan_that_destroys_the_function_needs_labels(
    runner: Runner, fresh_cloud: dict[str, str], built_bundle: Path, tmp_path: Path
) -> None:
    """The comment still has the plan, and how to allow it; then the labels allow it."""
    with provider.running(fresh_cloud) as running:
        project = Project.copy_to(tmp_path / "project", fresh_cloud | running)
        deployed.deploy(runner, project, built_bundle, "staging")
        shutil.copytree(built_bundle, project.folder / "bundle")
        function = project.folder / "terraform" / "function.tf"
        text = function.read_text()
        assert "function_name = local.name" in text
        function.write_text(text.replace("function_name = local.name", 'function_name = "renamed"'))
        runner.hub.pull_requests[7] = {"labels": [{"name": "bug"}], "merge_commit_sha": None}

        refused = _plan(runner, project)
        assert not refused.succeeded
        assert any(
            "aws_lambda_function" in line for line in refused.log.splitlines() if "::" in line
        )
        page = (project.folder / "plan" / "staging" / "plan.md").read_text()
        assert "allow-destroy:aws_lambda_function.service" in page

        names = ["bug", *(f"allow-destroy:{address}" for address in GUARDED)]
        runner.hub.pull_requests[7]["labels"] = [{"name": name} for name in names]
        allowed = _plan(runner, project)
        assert allowed.succeeded, allowed.log


def _plan(runner: Runner, project: Project) -> Script:
    """Run the scripts that plan staging for pull request 7."""
    event = project.folder / "event.json"
    event.write_text(json.dumps(events.pull_request(7, HEAD)))
    finding = ("ci.yml", "plan", "Read the allowed destruction")
    found = runner.script(*finding, project=project, GITHUB_EVENT_PATH=str(event))
    assert found.succeeded, found.log
    planning = ("ci.yml", "plan", "Plan")
    given = {"ENVIRONMENT": "staging", "ALLOW_DESTROY": found.outputs["allowed"]}
    return runner.script(*planning, project=project, **given)
