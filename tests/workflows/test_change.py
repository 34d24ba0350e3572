"""A change from its pull request to production, and back: ci.yml, deploy.yml and rollback.yml.

One journey with the real parts: each run needs what the one before left in AWS and on GitHub.
Linting and testing alone are replaced: what runs this test has just done both.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scratch.project import Project
from tests.support import http, release_page
from tests.workflows import deployed, events
from tests.workflows.act_log import Run
from tests.workflows.deployed import ENVIRONMENTS
from tests.workflows.runner import Runner

pytestmark = pytest.mark.integration

DEPLOY = {name: f"{name.title()} / Deploy" for name in ENVIRONMENTS}
PLAN = "Plan production and compare with the pull request's plan"


@dataclass
class Seen:
    """A run, and what it left.

    `answers` counts the answers that a client got meanwhile, by the version that gave them; `pages`
    are the release pages, and `releases` the environments' releases after it.
    """

    run: Run
    commit: str = ""
    answers: Counter[str] = field(default_factory=Counter)
    pages: dict[str, dict[str, Any]] = field(default_factory=dict)
    releases: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def _aws(runner: Runner) -> list[object]:
    """Return what a plan must leave as it is: objects in the buckets, functions, layers."""
    s3, functions = deployed.client(runner, "s3"), deployed.client(runner, "lambda")
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    objects = [s3.list_object_versions(Bucket=bucket).get("Versions", []) for bucket in buckets]
    return [objects, functions.list_functions()["Functions"], functions.list_layers()["Layers"]]


@pytest.fixture(scope="module")
def project(
    runner: Runner,
    ready_account: None,
    built_bundle: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Project:
    """A copy of the project, which has deployed release 1 to both environments."""
    runner.repository.write("Makefile", "lint lint-pins pytest:\n\t@echo make $@ $(TIER)\n")
    runner.repository.merge("The project")
    project = runner.project(tmp_path_factory.mktemp("project") / "copy")
    Project.copy_to(project.folder)
    deployed.deploy(runner, project, built_bundle, *ENVIRONMENTS)
    return project


@dataclass
class PullRequest:
    """A pull request's run, its head, its comments, and AWS before and after."""

    run: Run
    head: str
    comments: list[str]
    aws: tuple[list[object], list[object]]


@pytest.fixture(scope="module")
def pull_request(runner: Runner, project: Project) -> PullRequest:
    """A change of the handler, in a pull request from the repository itself."""
    repository, hub = runner.repository, runner.hub
    repository.start("change")
    repository.append("lambda_function.py", "\n\nCHANGED = True\n")
    head = repository.commit("Change the handler")
    hub.pull_requests[12] = {"labels": [], "merge_commit_sha": None, "head": {"sha": head}}
    before = _aws(runner)
    run = runner.run("pull_request", "ci.yml", events.pull_request(12, head))
    comments = [each["body"] for each in hub.comments.get(12, [])]
    return PullRequest(run, head, comments, (before, _aws(runner)))


@pytest.fixture(scope="module")
def merge(runner: Runner, project: Project, pull_request: PullRequest) -> Seen:
    """It is merged, with a client calling. Terraform's provider runs as it does on GitHub."""
    repository, hub = runner.repository, runner.hub
    hub.reviewers_of["production-approval"] = True
    repository.back_to_main()
    repository.git("merge", "--quiet", "--no-ff", "change", "--message=Merge pull request #12")
    commit = repository.git("rev-parse", "HEAD")
    hub.pull_requests[12]["merge_commit_sha"] = commit
    repository.git("push", "--quiet", "origin", "HEAD:main")
    with http.calling(deployed.url(runner, "production"), pause_s=0.3) as answers:
        run = runner.run(
            "push",
            "deploy.yml",
            events.push("Merge pull request #12"),
            pages=True,
            own_provider=True,
        )
    pages = {name: runner.artifact(f"release-page-{name}") / "index.html" for name in ENVIRONMENTS}
    return Seen(
        run,
        commit,
        answers,
        {name: release_page.read(page) for name, page in pages.items() if page.exists()},
        {name: deployed.releases(project, name) for name in ENVIRONMENTS},
    )


@pytest.fixture(scope="module")
def rollback(runner: Runner, project: Project, merge: Seen) -> Seen:
    """Main has been broken since; production is rolled back, with a client calling.

    What runs is the pipeline that the merge has stored.
    """
    repository = runner.repository
    repository.append("pipeline/__init__.py", "\nraise SystemExit('main is broken')\n")
    repository.merge("Break everything")
    event = events.dispatch(
        environment="production", release="", reason="it was `bad`; $(id)", dry_run="false"
    )
    with http.calling(deployed.url(runner, "production"), pause_s=0.3) as answers:
        run = runner.run("workflow_dispatch", "rollback.yml", event, pages=True)
    listed = deployed.releases(project, "production")
    return Seen(run, answers=answers, releases={"production": listed})


def test_an_ordinary_pull_request_passes(pull_request: PullRequest) -> None:
    assert pull_request.run.succeeded, pull_request.run.why()
    results = pull_request.run.results()
    assert results.pop("Explain why there is no plan") == "skipped"
    assert set(results.values()) == {"success"}


def test_its_plans_are_one_comment(pull_request: PullRequest) -> None:
    """What would change, in words; sizes; what the inspection found."""
    [comment] = pull_request.comments
    assert comment.startswith("<!-- mongo-client plans -->\n") and len(comment) < 65_536
    _, staging, production = comment.split("### Plan for ")
    for environment, body in (("staging", staging), ("production", production)):
        assert body.startswith(environment)
        assert "- `aws_lambda_function.service`: the function's code" in body
        assert f"commit `{pull_request.head[:12]}`" in body
        assert "| Dependencies |" in body and "no findings" in body
        assert body.index("| Release |") < body.index("<details><summary>Terraform plan:")


def test_its_job_summary_says_the_same(pull_request: PullRequest) -> None:
    [comment] = pull_request.comments
    headings = [line for line in comment.splitlines() if line.startswith("### ")]
    assert len(headings) == 2 and all(heading in pull_request.run.summary for heading in headings)


def test_its_plans_change_nothing(pull_request: PullRequest) -> None:
    """Their roles could not, on AWS; here it is seen that nothing tries."""
    before, after = pull_request.aws
    assert before == after
    for environment in ENVIRONMENTS:
        [role] = pull_request.run.jobs[f"Plan {environment}"].roles
        assert role.endswith(f":role/mongo-client-{environment}-plan")


def test_no_value_leaves_the_plan(pull_request: PullRequest, runner: Runner) -> None:
    """Neither in what everybody can read, nor in what the run keeps."""
    [secret] = json.loads(runner.cloud["TF_VAR_api_keys"])
    kept = [path for path in runner.hub.state.glob("artifacts/*/*/plan-*/*/*") if path.is_file()]
    assert {path.name for path in kept} == {"plan.json", "plan.md"}
    texts = [pull_request.run.summary, *pull_request.comments]
    texts += [path.read_text() for path in kept]
    texts += [step.log for job in pull_request.run.jobs.values() for step in job.steps.values()]
    assert not any(secret in text for text in texts)


def test_a_merge_reaches_staging_and_then_production(merge: Seen) -> None:
    assert merge.run.succeeded, merge.run.why()
    results = merge.run.results()
    assert results.pop("Explain why nothing is deployed") == "skipped"
    assert results.pop("Check that it was deployed") == "skipped"
    assert set(results.values()) == {"success"}
    order = [name for name in merge.run.jobs if name in DEPLOY.values()]
    assert order == ["Staging / Deploy", "Production / Deploy"]
    assert {merge.releases[name][0]["outcome"] for name in ENVIRONMENTS} == {"succeeded"}


def test_production_gets_the_bytes_that_staging_had(merge: Seen, runner: Runner) -> None:
    """They are built once, and named by their digest; both jobs verify the attestation."""
    assert len({merge.releases[name][0]["bundle"] for name in ENVIRONMENTS}) == 1
    functions = deployed.client(runner, "lambda")
    codes = {
        functions.get_function_configuration(
            FunctionName=f"mongo-client-{environment}", Qualifier="live"
        )["CodeSha256"]
        for environment in ENVIRONMENTS
    }
    assert len(codes) == 1
    assert all(merge.releases[name][0]["attested"] for name in ENVIRONMENTS)
    assert [name for name in merge.run.jobs if "Build" in name] == [
        "Build / Build",
        "Build / Attest",
    ]


def test_each_job_has_its_own_role(merge: Seen) -> None:
    """The runner insists besides that each role trusts the job that got it."""
    roles = {name: job.roles for name, job in merge.run.jobs.items() if job.roles}
    assert {name: [role.partition("/")[2] for role in got] for name, got in roles.items()} == {
        "Staging / Check the order of deployments": ["mongo-client-staging-plan"],
        "Staging / Deploy": ["mongo-client-staging-deploy"],
        PLAN: ["mongo-client-production-plan"],
        "Production / Check the order of deployments": ["mongo-client-production-plan"],
        "Production / Deploy": ["mongo-client-production-deploy"],
    }


def test_a_client_sees_no_failed_request(merge: Seen) -> None:
    """The old version answers, then the new one."""
    assert set(merge.answers) == {"1", "2"}


def test_what_is_approved_is_what_the_pull_request_showed(merge: Seen) -> None:
    """The job that waits would say in its name that it is not."""
    assert merge.run.jobs["Approve production"].result == "success"
    assert "the same as the pull request showed" in merge.run.summary


def test_the_ledger_names_the_commit_the_person_and_the_run(merge: Seen) -> None:
    release = merge.releases["production"][0]
    assert release["commit"] == merge.commit and release["actor"] == "octocat"
    assert release["run"].startswith("https://github.com/octo-org/mongo-client/actions/runs/")
    assert release["reason"] == "Merge pull request #12"


def test_the_summary_is_for_a_person_on_a_phone(merge: Seen) -> None:
    """What serves, what changed, the timeline as a picture, and how to go back."""
    for environment in ENVIRONMENTS:
        assert f"## {environment}: release `#2` serves bundle" in merge.run.summary
        assert f"rollback.yml --ref main -f environment={environment}" in merge.run.summary
    assert "```mermaid" in merge.run.summary


def test_each_deployment_leaves_a_release_page(merge: Seen) -> None:
    """With what its role may read: the ledger, the manifests, where live points, the log."""
    assert set(merge.pages) == set(ENVIRONMENTS)
    for environment, page in merge.pages.items():
        assert (page["environment"], page["shares"][0]["version"]) == (environment, "2")
        assert [release["number"] for release in page["releases"]] == [2, 1]
        assert page["wayBack"] == 1 and page["releases"][1]["restore"] is True
        newest = page["releases"][0]
        bundle = page["bundles"][newest["bundle"]]["id"]
        assert bundle == merge.releases[environment][0]["bundle"]
        assert newest["figures"]["calls"] > 0


def test_the_site_is_productions_page(merge: Seen, runner: Runner) -> None:
    """A repository can want GitHub Pages."""
    assert release_page.read_site(runner.hub.sites[0]) == merge.pages["production"]
    assert "https://octo-org.github.io/mongo-client/" in merge.run.summary


def test_a_rollback_serves_the_previous_release_though_main_is_broken(
    rollback: Seen, runner: Runner
) -> None:
    assert rollback.run.succeeded, rollback.run.why()
    assert deployed.serves(runner, "production") == "1"
    assert set(rollback.answers) == {"2", "1"}
    [role] = rollback.run.jobs["Roll back"].roles
    assert role.endswith(":role/mongo-client-production-rollback")
    assert (
        "## production: traffic is back at release `#1`, Terraform follows" in rollback.run.summary
    )
    assert (
        "## production: Terraform has followed the rollback to release `#1`" in rollback.run.summary
    )


def test_the_ledger_says_who_rolled_back_and_why(rollback: Seen) -> None:
    newest = rollback.releases["production"][0]
    assert (newest["kind"], newest["restores"], newest["outcome"]) == ("rollback", 1, "succeeded")
    assert newest["actor"] == "octocat" and newest["reason"] == "it was `bad`; $(id)"
    assert "/actions/runs/" in newest["run"]


def test_the_site_shows_the_rollback(rollback: Seen, runner: Runner) -> None:
    """At once: that is when people look. Written by the tree that works, and with its role."""
    page = release_page.read_site(runner.hub.sites[1])
    assert (page["environment"], page["shares"][0]["version"]) == ("production", "1")
    assert [release["kind"] for release in page["releases"]] == ["rollback", "deploy", "deploy"]
    assert "https://octo-org.github.io/mongo-client/" in rollback.run.summary
