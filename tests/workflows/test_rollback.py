"""What rollback.yml refuses, and its dry run: the scripts of its steps, on a production with two
releases.

A rollback that goes well is in test_change.py, outages are in test_rollback_outages.py, what a
refusal leaves out in test_conditions.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from scratch.project import Project
from tests.workflows import deployed
from tests.workflows.runner import Runner, Script

pytestmark = pytest.mark.extended

FETCH = "Fetch the pipeline that deployed last, and verify its digest"


@dataclass
class Production:
    """Production, which served release 1 and serves release 2."""

    runner: Runner
    project: Project

    def script(self, step: str, **values: str) -> Script:
        """Run the script of a step of the job that rolls back."""
        given = {
            "ENVIRONMENT": "production",
            "RELEASE": "",
            "BUCKET": "s3://mongo-client-artifacts-123456789012",
        }
        given |= values
        return self.runner.script("rollback.yml", "rollback", step, project=self.project, **given)


@pytest.fixture(scope="module")
def production(
    runner: Runner, built_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Production:
    project = runner.project(tmp_path_factory.mktemp("project") / "copy")
    Project.copy_to(project.folder)
    deployed.deploy(runner, project, built_bundle, "production")
    second = deployed.build_another(project, built_bundle)
    deployed.deploy(runner, project, second, "production")
    project.must("github", "store-pipeline", "--environment", "production")
    return Production(runner, project)


def test_a_branch_cannot_roll_back(runner: Runner) -> None:
    """The right to push a branch is not the right to run its code with the role of a rollback."""
    step = ("rollback.yml", "rollback", "Check that this is main")
    refused = runner.script(*step, GITHUB_REF="refs/heads/topic")
    assert not refused.succeeded and "::error::A rollback runs from main" in refused.log
    assert runner.script(*step, GITHUB_REF="refs/heads/main").succeeded


def test_without_a_deployment_there_is_nothing_to_roll_back(production: Production) -> None:
    refused = production.script(FETCH, ENVIRONMENT="staging")
    assert not refused.succeeded
    assert "::error::No pipeline is stored for staging: deploy.yml stores it" in refused.log


def test_a_dry_run_shows_and_does_nothing(production: Production) -> None:
    """Here Terraform cannot plan, for its state is damaged; the release can be restored still."""
    where = {
        "Bucket": "mongo-client-terraform-state-123456789012",
        "Key": "mongo-client/production.tfstate",
    }
    assert production.script(FETCH).succeeded
    s3 = deployed.client(production.runner, "s3")
    state = s3.get_object(**where)["Body"].read()
    s3.put_object(**where, Body=b"{")
    displayed = production.script("Show what would happen")
    s3.put_object(**where, Body=state)
    assert not displayed.succeeded and displayed.outputs["restores"] == "1"
    assert "## production: a rollback would restore traffic, and then fail" in displayed.summary
    assert (
        "restore: `release #1, bundle" in displayed.summary and "### To do it" in displayed.summary
    )
    marks = [line for line in displayed.log.splitlines() if "::" in line]
    assert any("state" in mark for mark in marks), displayed.log
    numbers = [
        release["release"] for release in deployed.releases(production.project, "production")
    ]
    assert deployed.serves(production.runner, "production") == "2" and numbers == [2, 1]
