"""What rollback.yml refuses, and its dry run: the scripts of its steps, on a production with two
releases.

A rollback that goes well is in test_change.py, what a refusal leaves out in test_conditions.py.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from scratch.project import Project
from tests.workflows import deployed
from tests.workflows.runner import Runner, Script

pytestmark = pytest.mark.extended

VERIFY = "Verify that deploy.yml built it on main"


@dataclass
class Production:
    """Production, which served release 1 and serves release 2."""

    runner: Runner
    project: Project
    first_bundle: Path

    def script(self, step: str, **values: str) -> Script:
        """Run the script of a step of the job that rolls back."""
        given = {"ENVIRONMENT": "production", "RELEASE": ""} | values
        return self.runner.script("rollback.yml", "rollback", step, project=self.project, **given)

    def is_untouched(self) -> bool:
        numbers = [each["release"] for each in deployed.releases(self.project, "production")]
        return deployed.serves(self.runner, "production") == "2" and numbers == [2, 1]


@pytest.fixture(scope="module")
def production(
    runner: Runner, built_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Production:
    project = runner.project(tmp_path_factory.mktemp("project") / "copy")
    Project.copy_to(project.folder)
    deployed.deploy(runner, project, built_bundle, "production")
    second = deployed.build_another(project, built_bundle)
    deployed.deploy(runner, project, second, "production")
    return Production(runner, project, built_bundle)


def test_a_branch_cannot_roll_back(runner: Runner) -> None:
    """Who may push a branch may not thereby run what lies on it with the role of a rollback."""
    step = ("rollback.yml", "known-good", "Only from main")
    refused = runner.script(*step, GITHUB_REF="refs/heads/topic")
    assert not refused.succeeded and "::error::A rollback starts from main" in refused.log
    assert runner.script(*step, GITHUB_REF="refs/heads/main").succeeded


def test_without_a_deployment_there_is_nothing_to_roll_back(runner: Runner) -> None:
    step = ("rollback.yml", "known-good", "There must be one")
    refused = runner.script(*step, ENVIRONMENT="staging")
    assert not refused.succeeded
    assert "::error::deploy.yml has deployed nothing to staging so far." in refused.log


def test_a_stored_bundle_that_was_tampered_with_is_refused(production: Production) -> None:
    """Its digest is not the one in its name, and nothing has changed when that is found."""
    content = (production.first_bundle / "lambda_function.zip").read_bytes()
    key = f"packages/{hashlib.sha256(content).hexdigest()}/lambda_function.zip"
    where = {"Bucket": "mongo-client-artifacts-123456789012", "Key": key}
    s3 = deployed.client(production.runner, "s3")
    s3.put_object(**where, Body=content + b"\0")
    refused = production.script("Show what it will do")
    s3.put_object(**where, Body=content)
    assert not refused.succeeded and production.is_untouched()
    assert any("sha256" in line for line in refused.log.splitlines() if "::error" in line)


def test_a_bundle_that_nobody_vouches_for_is_refused(production: Production) -> None:
    """Right digests, and yet not built by deploy.yml on main."""
    found = production.script("Show what it will do")
    fetch = "Fetch the bundle, and verify its digests"
    fetched = production.script(fetch, BUNDLE=found.outputs["bundle"])
    assert fetched.succeeded, fetched.log
    verified = production.script(VERIFY)
    assert verified.succeeded and verified.log.count("Verification succeeded") == 2
    package = production.first_bundle / "lambda_function.zip"
    deployed.attestation(production.runner, package).unlink()
    refused = production.script(VERIFY)
    deployed.attest(production.runner, production.first_bundle)
    assert not refused.succeeded and "no attestations found" in refused.log


def test_a_dry_run_shows_and_does_nothing(production: Production) -> None:
    """Here Terraform cannot plan, for its state is damaged; the release can be restored still."""
    where = {
        "Bucket": "mongo-client-terraform-state-123456789012",
        "Key": "mongo-client/production.tfstate",
    }
    s3 = deployed.client(production.runner, "s3")
    state = s3.get_object(**where)["Body"].read()
    s3.put_object(**where, Body=b"{")
    done = production.script("Show what it will do")
    s3.put_object(**where, Body=state)
    assert done.succeeded and production.is_untouched()
    assert done.outputs["release"] == "1"
    assert "## production: a rollback would restore traffic, and then fail" in done.summary
    assert "restore: `release 1, bundle" in done.summary and "### To do it" in done.summary
    assert any("state" in line for line in done.log.splitlines() if "::" in line)
