"""Back to an earlier release, and what drifts away: rollback.yml and drift.yml themselves.

One story: production served release 1, serves release 2, and main has been broken since.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support import http
from tests.support import release_page
from scratch.project import Project
from tests.workflows.act_log import Run
from tests.workflows import events
from tests.workflows.runner import Runner

PRODUCTION = ("--environment", "production")

pytestmark = [pytest.mark.extended, pytest.mark.usefixtures("ready_account")]


@dataclass
class Production:
    """Production as the story finds it, and ways to look at it."""

    runner: Runner
    project: Project
    first_bundle: Path
    commit: str

    def serves(self) -> str:
        """Return the version that answers over HTTP."""
        status, body = http.get(f"{self.url}/api/health")
        assert status == 200, body
        return str(body["functionVersion"])

    @property
    def url(self) -> str:
        return self.runner.cloud["API_URL"].replace("mongo-client-local", "mongo-client-production")

    def releases(self) -> list[dict[str, Any]]:
        return list(json.loads(self.project.must("releases", *PRODUCTION, "--json")))

    def client(self, service: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.runner.cloud["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id="somebody",
            aws_secret_access_key="somebody",
        )

    def roll_back(
        self, ref: str = "refs/heads/main", dry_run: bool = False, pages: bool = False
    ) -> Run:
        inputs = {"environment": "production", "release": "", "reason": "it was `bad`; $(id)"}
        event = events.dispatch(ref, **inputs, dry_run="true" if dry_run else "false")
        return self.runner.run("workflow_dispatch", "rollback.yml", event, pages=pages)


@pytest.fixture(scope="module")
def production(
    runner: Runner, built_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Production:
    repository = runner.repository
    project = Project(repository.clone, dict(runner.cloud))
    _attest(runner, built_bundle)
    project.must(
        "deploy", *PRODUCTION, "--bundle", str(built_bundle), "--unproved", "--reason", "the first"
    )
    repository.append("lambda_function.py", "\nCHANGED = True\n")
    second = tmp_path_factory.mktemp("second")
    project.must("build", "--out", str(second))
    _attest(runner, second)
    commit = repository.merge("The second")
    project.must(
        "deploy", *PRODUCTION, "--bundle", str(second), "--unproved", "--reason", "the second"
    )
    runner.hub.deployed("production", commit)

    repository.append("pipeline/__init__.py", "\nraise SystemExit('main is broken')\n")
    broken = repository.merge("Break everything")
    # None of these is the last deployment to production that did well.
    runner.hub.deployed("production-approval", broken)
    runner.hub.deployed("production-rollback", broken)
    runner.hub.deployed("production", broken, "FAILURE")
    runner.hub.deployed("production", broken, "IN_PROGRESS")
    # What looks at production from here on is not what is broken.
    whole = Project.copy_to(tmp_path_factory.mktemp("whole") / "project", dict(runner.cloud))
    return Production(runner, whole, built_bundle, commit)


def _attest(runner: Runner, bundle: Path) -> None:
    """Vouch for a bundle's packages as deploy.yml's own run on main does."""
    for package in bundle.glob("*.zip"):
        _attestation(runner, package).parent.mkdir(parents=True, exist_ok=True)
        _attestation(runner, package).write_text("refs/heads/main")


def _attestation(runner: Runner, package: Path) -> Path:
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    return runner.hub.state / "attestations" / f"{digest}.deploy.yml"


def _refused(production: Production, run: Run, step: tuple[str, str]) -> None:
    """Insist that a rollback stopped at a step, and that nothing has changed."""
    assert run.failed() == [step], run.why()
    assert production.serves() == "2"
    assert [each["release"] for each in production.releases()] == [2, 1]


def test_a_branch_cannot_roll_back(production: Production) -> None:
    """Who may push a branch may not thereby run what lies on it with the role of a rollback."""
    run = production.roll_back(ref="refs/heads/topic")
    _refused(production, run, ("Find the tree that is known to work", "Only from main"))


def test_a_deployment_of_what_main_never_had_is_not_trusted(production: Production) -> None:
    """Anybody who may push can record one."""
    repository, hub = production.runner.repository, production.runner.hub
    repository.start("evil")
    evil = repository.commit("Not reviewed")
    repository.git("push", "--quiet", "origin", "evil")
    repository.back_to_main()
    hub.deployed("production", evil)
    run = production.roll_back()
    hub.deployments.pop()
    step = "Find the last deployment that did well"
    _refused(production, run, ("Find the tree that is known to work", step))


def test_a_stored_bundle_that_was_tampered_with_is_refused(production: Production) -> None:
    """Its digest is not the one in its name, and nothing has changed when that is found."""
    content = (production.first_bundle / "lambda_function.zip").read_bytes()
    key = f"packages/{hashlib.sha256(content).hexdigest()}/lambda_function.zip"
    where = {"Bucket": "mongo-client-artifacts-123456789012", "Key": key}
    s3 = production.client("s3")
    s3.put_object(**where, Body=content + b"\0")
    run = production.roll_back()
    s3.put_object(**where, Body=content)
    _refused(production, run, ("Roll back", "Show what it will do"))
    assert any("sha256" in each["message"] for each in run.annotations)


def test_a_bundle_that_nobody_vouches_for_is_refused(production: Production) -> None:
    """Right digests, and yet not built by deploy.yml on main."""
    attestation = _attestation(production.runner, production.first_bundle / "lambda_function.zip")
    attestation.unlink()
    run = production.roll_back()
    _attest(production.runner, production.first_bundle)
    step = ("Roll back", "Verify that deploy.yml built it on main")
    _refused(production, run, step)
    assert "no attestations found" in run.step(*step).log


def test_a_dry_run_shows_and_does_nothing(production: Production) -> None:
    """Here Terraform cannot plan, for its state is damaged; the release can be restored still."""
    where = {
        "Bucket": "mongo-client-terraform-state-123456789012",
        "Key": "mongo-client/production.tfstate",
    }
    s3 = production.client("s3")
    state = s3.get_object(**where)["Body"].read()
    s3.put_object(**where, Body=b"{")
    run = production.roll_back(dry_run=True)
    s3.put_object(**where, Body=state)
    assert run.succeeded, run.why()
    assert run.step("Roll back", "Verify that deploy.yml built it on main").result == "success"
    assert run.step("Roll back", "Roll back").result == "skipped"
    assert "## production: a rollback would restore traffic, and then fail" in run.summary
    assert "restore: `release 1, bundle" in run.summary and "### To do it" in run.summary
    assert any("state" in each["message"] for each in run.annotations)
    assert production.serves() == "2" and len(production.releases()) == 2


@dataclass
class RolledBack:
    """The rollback's run, and who answered a client meanwhile."""

    run: Run
    answers: Counter[str]


@pytest.fixture(scope="module")
def rolled_back(production: Production) -> RolledBack:
    with http.calling(production.url, pause_s=0.1) as answers:
        run = production.roll_back(pages=True)
    return RolledBack(run, answers)


def test_the_previous_release_serves_though_main_is_broken(
    production: Production, rolled_back: RolledBack
) -> None:
    assert rolled_back.run.succeeded, rolled_back.run.why()
    assert production.serves() == "1"
    assert set(rolled_back.answers) == {"2", "1"}
    [role] = rolled_back.run.jobs["Roll back"].roles
    assert role.endswith(":role/mongo-client-production-rollback")
    assert "## production: rolled back to release 1" in rolled_back.run.summary


def test_the_ledger_says_who_rolled_back_and_why(
    production: Production, rolled_back: RolledBack
) -> None:
    newest = production.releases()[0]
    assert (newest["kind"], newest["restores"], newest["outcome"]) == ("rollback", 1, "succeeded")
    assert newest["actor"] == "octocat" and newest["reason"] == "it was `bad`; $(id)"
    assert "/actions/runs/" in newest["run"]


def test_the_site_shows_the_rollback(production: Production, rolled_back: RolledBack) -> None:
    """At once: that is when people look. Written by the tree that works, and with its role."""
    [site] = production.runner.hub.sites
    told = release_page.told_by_site(site)
    assert (told["environment"], told["live"]["version"]) == ("production", "1")
    assert [each["kind"] for each in told["releases"]] == ["rollback", "deploy", "deploy"]
    assert "https://octo-org.github.io/mongo-client/" in rolled_back.run.summary


@dataclass
class Drift:
    """Searches for drift, and the hub's issues after each: (number, state, body)."""

    runs: list[Run]
    issues: list[list[dict[str, Any]]]
    comments: dict[int, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def drift(production: Production, rolled_back: RolledBack) -> Drift:
    """Somebody changes the time limit by hand, and again, and then puts it back.

    A pull request, and somebody else's issue, have the label as well.
    """
    functions, name = production.client("lambda"), "mongo-client-production"
    before = functions.get_function_configuration(FunctionName=name)["Timeout"]
    hub, seen = production.runner.hub, Drift([], [], production.runner.hub.comments)
    labelled = {"state": "open", "labels": ["drift"], "title": "Drift!", "body": "Look."}
    bot = {"login": "github-actions[bot]"}
    others = [
        {"number": 7, "user": bot, "pull_request": {"url": "…"}, **labelled},
        {"number": 8, "user": {"login": "stranger"}, **labelled},
    ]
    hub.issues += [dict(each) for each in others]
    for timeout_s in (before + 1, before + 2, before):
        functions.update_function_configuration(FunctionName=name, Timeout=timeout_s)
        seen.runs.append(production.runner.run("schedule", "drift.yml", {}))
        assert hub.issues[:2] == others
        seen.issues.append([dict(issue) for issue in hub.issues[2:]])
    return seen


def test_drift_opens_one_issue_and_updates_it(drift: Drift) -> None:
    """It names what is different, in which environment, and shows no value."""
    assert all(run.succeeded for run in drift.runs), [run.why() for run in drift.runs]
    [opened], [updated] = drift.issues[:2]
    assert opened["state"] == "open" and "Plan for production" in opened["body"]
    assert "time limit" in opened["body"] and "aws_lambda_function.function" in opened["body"]
    assert updated["number"] == opened["number"] and updated["body"] != opened["body"]


def test_the_issue_is_closed_when_they_agree_again(drift: Drift) -> None:
    """With what a rollback restored, and the tree that was deployed last, the plan is empty."""
    [closed] = drift.issues[2]
    assert closed["state"] == "closed"
    [comment] = drift.comments[closed["number"]]
    assert "agree again" in comment["body"]


def test_what_was_never_deployed_has_not_drifted(drift: Drift) -> None:
    notices = [each["message"] for each in drift.runs[0].annotations]
    assert notices == ["Nothing was deployed there so far."]
