"""The runner and its stand-ins refuse what GitHub and AWS would, or the rest would prove little."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scratch.source import ROOT
from tests.workflows.act_log import Run
from tests.workflows import events, trust
from tests.workflows.local_actions import pins
from tests.workflows.repository import one_at_a_time
from tests.workflows.runner import Runner, on_a_hub
from tests.workflows.validate import for_the_runner

pytestmark = pytest.mark.integration

_WORKFLOWS = ROOT / ".github" / "workflows"
_DEPLOY_ROLE = "arn:aws:iam::123456789012:role/mongo-client-production-deploy"
_US = "repo:octo-org@1234/mongo-client@5678"

_HEADER = """
on: {workflow_dispatch: {}}
jobs:
  tiny:
    name: Tiny
    runs-on: ubuntu-24.04
    steps:
"""


@pytest.fixture(scope="module")
def runner(
    fresh_cloud: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runner]:
    """A repository on a hub and a cloud, where nothing needs Terraform."""
    with on_a_hub(tmp_path_factory.mktemp("runner"), fresh_cloud) as runner:
        yield runner


def _run(runner: Runner, *steps: str, again: bool = False) -> Run:
    """Run a workflow of one job with these steps, or `again` as the next attempt."""
    path = runner.repository.clone / ".github" / "workflows" / "tiny.yml"
    path.write_text("name: tiny\n" + _HEADER + "".join(f"      - {step}\n" for step in steps))
    return runner.run("workflow_dispatch", "tiny.yml", events.dispatch(), again=again)


def _use(action: str, **inputs: str) -> str:
    given = ", ".join(f"{name.replace('_', '-')}: '{value}'" for name, value in inputs.items())
    return f"{{name: {action}, uses: {action}@{pins()[action]}, with: {{{given}}}}}"


def test_a_job_without_a_role_has_no_credentials(runner: Runner) -> None:
    """Localcloud's own are not passed on: who forgets the action cannot call AWS."""
    look = "import boto3; boto3.client('s3', region_name='us-east-1').list_buckets()"
    run = _run(runner, f'{{name: Look, run: "$STAND_IN_PYTHON -c \\"{look}\\""}}')
    assert run.failed() == [("Tiny", "Look")]
    assert "NoCredentialsError" in run.step("Tiny", "Look").log


def test_a_role_that_does_not_trust_the_job_is_refused(runner: Runner) -> None:
    """Here it is one that is not even there."""
    action = "aws-actions/configure-aws-credentials"
    run = _run(runner, _use(action, role_to_assume=_DEPLOY_ROLE, aws_region="us-east-1"))
    assert run.failed() == [("Tiny", action)]
    assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in run.step("Tiny", action).log


def test_the_real_action_takes_the_place_of_its_stand_in_where_it_is(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here it is one that only notes what it was given, and fails."""
    (tmp_path / "action.yml").write_text(
        "{name: real, inputs: {role-to-assume: {}}, runs: {using: node24, main: main.js}}"
    )
    (tmp_path / "main.js").write_text(
        "require('fs').writeFileSync(__dirname + '/given', process.env['INPUT_ROLE-TO-ASSUME']);"
        "process.exit(1);"
    )
    monkeypatch.setenv("CONFIGURE_AWS_CREDENTIALS", str(tmp_path))
    action = "aws-actions/configure-aws-credentials"
    run = _run(runner, _use(action, role_to_assume=_DEPLOY_ROLE, aws_region="us-east-1"))
    assert run.failed() == [("Tiny", action)]
    [given] = runner.hub.state.rglob("given")
    assert given.read_text() == _DEPLOY_ROLE


@pytest.mark.parametrize(
    ("workflow", "name", "job", "event", "asking"),
    [
        ("ci.yml", "ci/Plan staging", "plan", "pull_request", f"{_US}:pull_request"),
        ("drift.yml", "drift/Plan", "plan", "schedule", f"{_US}:ref:refs/heads/main"),
        ("deploy.yml", "deploy/Plan", "plan", "push", f"{_US}:ref:refs/heads/main"),
        (
            "deploy.yml",
            "Production/release/Deploy",
            "deploy",
            "push",
            f"{_US}:environment:production",
        ),
        (
            "rollback.yml",
            "rollback/Roll back",
            "rollback",
            "workflow_dispatch",
            f"{_US}:environment:staging-rollback",
        ),
    ],
)
def test_who_a_job_is_to_aws(workflow: str, name: str, job: str, event: str, asking: str) -> None:
    lineage = trust.lineage(workflow, name, job)
    main, inputs = "refs/heads/main", {"environment": "staging"}
    assert trust.subject(lineage, event, main, inputs) == asking
    assert trust.may_have_identity(lineage)


def test_a_job_without_the_permission_is_seen() -> None:
    assert not trust.may_have_identity(trust.lineage("ci.yml", "ci/Lint", "lint"))


@pytest.mark.parametrize("path", sorted(_WORKFLOWS.glob("*.yml")), ids=lambda path: path.stem)
def test_what_runs_is_the_file_but_for_three_keys(path: Path) -> None:
    """act does not know two of them yet, and runs a matrix in parallel without `max-parallel`."""
    lines = path.read_text().splitlines()
    runs = one_at_a_time(for_the_runner(path.read_text())).splitlines()
    assert [line for line in runs if line.strip() != "max-parallel: 1"] == [
        line for line in lines if line.strip() not in ("queue: max", "deployment: false")
    ]
    assert "max-parallel: 1" not in path.read_text()


def test_an_artifact_goes_from_one_step_to_another_by_its_name(runner: Runner) -> None:
    up, down = "actions/upload-artifact", "actions/download-artifact"
    run = _run(
        runner,
        '{name: Make, run: "mkdir a && echo hello > a/b"}',
        _use(up, name="thing", path="a", if_no_files_found="error"),
        _use(down, name="thing", path="there"),
        '{name: Look, run: "grep hello there/b"}',
        _use(up, name="other", path="nowhere", if_no_files_found="error"),
    )
    assert run.failed() == [("Tiny", up)] and run.step("Tiny", "Look").result == "success"


@pytest.mark.parametrize(
    ("merge", "count", "files"),
    [
        ("false", 1, {"there/b"}),
        ("false", 2, {"there/thing-1/b", "there/thing-2/b"}),
        ("true", 2, {"there/b"}),
    ],
)
def test_a_single_artifact_of_a_pattern_is_extracted_flat(
    runner: Runner, merge: str, count: int, files: set[str]
) -> None:
    """https://github.com/actions/download-artifact/issues/416"""
    up, down = "actions/upload-artifact", "actions/download-artifact"
    run = _run(
        runner,
        '{name: Make, run: "mkdir a && echo hello > a/b"}',
        *(_use(up, name=f"thing-{number + 1}", path="a") for number in range(count)),
        _use(down, pattern="thing-*", path="there", merge_multiple=merge),
        '{name: Look, run: "find there -type f"}',
    )
    assert run.succeeded, run.why()
    assert set(run.step("Tiny", "Look").log.split()) == files


@pytest.mark.parametrize(("overwrite", "read"), [("false", "1"), ("true", "2")])
def test_a_second_attempt_can_read_what_the_first_one_left(
    runner: Runner, overwrite: str, read: str
) -> None:
    """Unless it was replaced: an artifact belongs to an attempt."""
    up, down = "actions/upload-artifact", "actions/download-artifact"
    steps = (
        '{name: Make, run: "mkdir a && echo $GITHUB_RUN_ATTEMPT > a/b"}',
        _use(up, name="thing", path="a", overwrite=overwrite),
        _use(down, name="thing", path="there"),
        '{name: Look, run: "cat there/b"}',
    )
    assert _run(runner, *steps).succeeded
    run = _run(runner, *steps, again=True)
    assert run.step("Tiny", "Look").log.strip() == read
