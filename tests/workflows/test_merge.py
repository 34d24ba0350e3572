"""Merges that do not simply go to production: deploy.yml itself, and scripts of its steps.

A merge that goes well is in test_change.py, which steps and jobs run in test_conditions.py. One
journey: each run needs what the one before left in AWS and on GitHub.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scratch.project import Project
from tests.support import release_page
from tests.workflows import deployed, events
from tests.workflows.act_log import Run
from tests.workflows.runner import Runner, Script

pytestmark = pytest.mark.extended

PLAN = "Plan production and compare with the pull request's plan"
NEEDED = "Check that a difference can be approved"
TURN = ("release.yml", "turn", "Check the ledger and the quarantine")


@dataclass
class Seen:
    """A run, and the releases after it, newest first."""

    run: Run
    staging: list[dict[str, Any]]
    production: list[dict[str, Any]]


def _seen(runner: Runner, project: Project, run: Run) -> Seen:
    listed = [deployed.releases(project, environment) for environment in deployed.ENVIRONMENTS]
    return Seen(run, *listed)


@pytest.fixture(scope="module")
def project(
    runner: Runner, built_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """A copy of the project, for what a person does outside of the workflows."""
    # The builds take the layer from there.
    shutil.copytree(built_bundle, runner.repository.clone / "bundle")
    project = runner.project(tmp_path_factory.mktemp("project") / "copy")
    return Project.copy_to(project.folder, project.environment)


@pytest.fixture(scope="module")
def first(runner: Runner, project: Project, ready_account: None) -> Seen:
    """The first merge: nothing is there, the pull request has no plan, and nobody approves."""
    runner.hub.reviewers_of["production-approval"] = False
    runner.repository.merge("The first")
    return _seen(runner, project, runner.run("push", "deploy.yml", events.push("The first")))


@dataclass
class Quarantine:
    """What the plan of a merge says of a bundle that was rolled back, and of one that is live.

    `staging` is what the look at staging's quarantine says, where nothing was rolled back.
    """

    rolled_back: Script
    live: Script
    staging: Script
    bundle: str


@pytest.fixture(scope="module")
def quarantine(runner: Runner, project: Project, first: Seen, built_bundle: Path) -> Quarantine:
    """Production went from the first bundle to a second one, and was rolled back to the first."""
    owner = runner.project(project.folder)
    deployed.deploy(runner, owner, built_bundle, "production")
    second = deployed.build_another(owner, built_bundle)
    deployed.deploy(runner, owner, second, "production")
    bundle = deployed.releases(owner, "production")[0]["bundle"]
    owner.must("rollback", "--environment", "production", "--reason", "it was slow")
    step = ("deploy.yml", "plan", "Plan and compare")
    return Quarantine(
        runner.script(*step, project=owner, BUNDLE=bundle),
        runner.script(*step, project=owner, BUNDLE=first.staging[0]["bundle"]),
        _turn(runner, owner, bundle),
        bundle,
    )


def _turn(
    runner: Runner, project: Project, bundle: str, commit: str = "", required: str = ""
) -> Script:
    """Run the script that says whether a merge, main's newest, is to be deployed to staging."""
    return runner.script(
        *TURN,
        project=project,
        ENVIRONMENT="staging",
        BUNDLE=bundle,
        REQUIRED=required,
        GITHUB_SHA=commit or runner.repository.git("rev-parse", "main"),
    )


@pytest.fixture(scope="module")
def by_hand(runner: Runner, project: Project, quarantine: Quarantine) -> Seen:
    """A person has read it, and dispatches the bundle, as the errors and notices say.

    A change of Terraform goes with it, that no pull request showed.
    """
    runner.repository.replace(
        "terraform/environments/production/terraform.tfvars",
        "log_retention_days ",
        "memory_mb = 512\nlog_retention_days ",
    )
    runner.repository.merge("More memory")
    event = events.dispatch(
        bundle=quarantine.bundle, reason="it was right", release_from_quarantine="true"
    )
    return _seen(runner, project, runner.run("workflow_dispatch", "deploy.yml", event))


@pytest.fixture(scope="module")
def failing(runner: Runner, project: Project, by_hand: Seen) -> Seen:
    """A merge whose handler starts and answers, but not as it must."""
    runner.repository.append(
        "lambda_function.py",
        "\n\ndef lambda_handler(event, context):\n    return {'statusCode': 500, 'body': '{}'}\n",
    )
    runner.repository.merge("Break the handler")
    return _seen(runner, project, runner.run("push", "deploy.yml", events.push()))


def test_a_plan_that_nobody_saw_stops_before_production(first: Seen) -> None:
    """A private repository may have nobody to approve: then a person starts it by hand."""
    assert first.run.failed() == [(PLAN, NEEDED)]
    errors = [
        annotation["message"]
        for annotation in first.run.annotations
        if annotation["level"] == "error"
    ]
    assert any("gh workflow run deploy.yml --ref main -f bundle=" in error for error in errors)
    assert "the pull request has no plan" in first.run.summary
    assert first.production == []


def test_staging_is_made_from_nothing(first: Seen) -> None:
    """With no more than what its role allows."""
    [release] = first.staging
    assert release["outcome"] == "succeeded" and release["reason"] == "The first"


def test_a_merge_of_what_was_rolled_back_is_a_notice(quarantine: Quarantine) -> None:
    """It is no failure: it says that nothing is deployed, why, and what a person can do."""
    plan = quarantine.rolled_back
    assert plan.succeeded and plan.outputs["quarantined"] == "true"
    [notice] = [line for line in plan.log.splitlines() if line.startswith("::notice::")]
    assert "was rolled back in production by" in notice and "it was slow" in notice
    assert "-f release-from-quarantine=true" in notice
    assert "In quarantine" in plan.summary


def test_a_merge_with_nothing_to_deploy_says_so(quarantine: Quarantine) -> None:
    plan = quarantine.live
    assert plan.succeeded
    assert (plan.outputs["nothing-to-do"], plan.outputs["quarantined"]) == ("true", "false")
    assert "### Plan for production: no changes" in plan.summary


def test_a_given_bundle_can_be_deployed_by_hand(
    by_hand: Seen, quarantine: Quarantine, runner: Runner, project: Project
) -> None:
    """It comes from the store, by its digest, nothing is built; and it is in quarantine no more."""
    assert by_hand.run.succeeded, by_hand.run.why()
    assert by_hand.run.results()["Build"] == "skipped"
    newest = by_hand.production[0]
    assert (newest["release"], newest["outcome"]) == (4, "succeeded")
    assert newest["bundle"] == quarantine.bundle == by_hand.staging[0]["bundle"]
    assert newest["reason"] == "it was right"
    releases = json.loads(project.must("releases", "--environment", "production", "--json"))
    assert (releases[0]["quarantined"], releases[0]["live_percent"]) == (None, 100)
    memory = deployed.client(runner, "lambda").get_function_configuration(
        FunctionName="mongo-client-production", Qualifier="live"
    )["MemorySize"]
    assert memory == 512


def test_a_failed_check_in_staging_leaves_production_alone(
    by_hand: Seen, failing: Seen, runner: Runner
) -> None:
    assert failing.run.failed() == [("Staging / Deploy", "Deploy")]
    assert any("/api/health" in annotation["message"] for annotation in failing.run.annotations)
    assert "staging: deployment failed" in failing.run.summary
    assert failing.production == by_hand.production
    assert failing.staging[0]["outcome"] == "failed"
    assert deployed.serves(runner, "staging") == by_hand.staging[0]["version"]


def test_a_deployment_that_failed_leaves_a_release_page_too(failing: Seen, runner: Runner) -> None:
    """That is when somebody looks at it."""
    page = release_page.read(runner.artifact("release-page-staging") / "index.html")
    newest = page["releases"][0]
    assert newest["outcome"] == "failed" and "/api/health" in newest["error"]
    assert not runner.artifact("release-page-production").exists()


def test_what_was_rolled_back_in_staging_is_skipped_there(
    failing: Seen, quarantine: Quarantine, runner: Runner, project: Project
) -> None:
    assert quarantine.staging.outputs == {"turn": "true"}
    owner = runner.project(project.folder)
    owner.must("rollback", "--environment", "staging", "--reason", "it was slow")
    skipped = _turn(runner, owner, quarantine.bundle)
    assert skipped.succeeded and skipped.outputs == {"turn": "false"}
    [notice] = [line for line in skipped.log.splitlines() if line.startswith("::notice::")]
    assert "was rolled back in staging by" in notice


def test_an_older_merge_does_not_land_on_a_newer_one(
    failing: Seen, runner: Runner, project: Project
) -> None:
    """Its run comes late, or is run again. A merge is skipped; what somebody approved fails."""
    owner = runner.project(project.folder)
    deployed_tree = failing.staging[1]["tree"]
    older = runner.repository.git("rev-parse", f"{deployed_tree}^")
    skipped = _turn(runner, owner, "0" * 64, older)
    assert skipped.outputs == {"turn": "false"}
    notice = f"Skipped: staging has {deployed_tree[:7]} of main, which is newer than {older[:7]}"
    assert f"::notice::{notice}" in skipped.log and notice in skipped.summary
    refused = _turn(runner, owner, "0" * 64, older, required="--required")
    assert not refused.succeeded and "error[superseded]" in refused.log


def test_a_repository_without_an_account_deploys_nothing_and_says_so(runner: Runner) -> None:
    run = runner.run("push", "deploy.yml", events.push(), variables=False)
    assert run.succeeded, run.why()
    done = [name for name, job in run.jobs.items() if job.result == "success"]
    assert done == ["Explain why nothing is deployed"]
    [notice] = [annotation["message"] for annotation in run.annotations]
    assert "AWS_ACCOUNT_ID, AWS_REGION, AWS_ROLE_PREFIX and SERVICE are not set" in notice
