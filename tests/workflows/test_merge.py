"""From a merge to production: deploy.yml itself, run with the real parts, merge after merge.

One story, for each chapter needs what the one before left in AWS and on GitHub.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from tests.support import http
from tests.support import release_page
from scratch.project import Project
from tests.workflows.act_log import Run
from tests.workflows import events
from tests.workflows.runner import Runner

STAGING, PRODUCTION = ("--environment", "staging"), ("--environment", "production")
DEPLOY = {name: f"{name.title()} / Deploy" for name in ("staging", "production")}

pytestmark = [pytest.mark.extended, pytest.mark.usefixtures("ready_account")]


@dataclass
class Chapter:
    """A run, and the newest releases (at most three) of each environment after it.

    `pages` are the release pages that the run left, as they tell their data, by environment.
    """

    run: Run
    staging: list[dict[str, Any]]
    production: list[dict[str, Any]]
    pages: dict[str, dict[str, Any]]
    commit: str = ""
    answers: Counter[str] | None = None


def _releases(runner: Runner, environment: str) -> list[dict[str, Any]]:
    project = Project(runner.repository.clone, dict(runner.cloud))
    listed = project.must("releases", "--environment", environment, "--json", "--limit", "3")
    return list(json.loads(listed))


def _chapter(runner: Runner, run: Run, commit: str = "") -> Chapter:
    pages = {name: runner.artifact(f"release-page-{name}") / "index.html" for name in DEPLOY}
    return Chapter(
        run,
        _releases(runner, "staging"),
        _releases(runner, "production"),
        {name: release_page.told(page) for name, page in pages.items() if page.exists()},
        commit,
    )


def _merge(runner: Runner, message: str) -> Chapter:
    """Push what lies in the clone to main, and run deploy.yml for it."""
    commit = runner.repository.merge(message)
    run = runner.run("push", "deploy.yml", events.push(message))
    return _chapter(runner, run, commit)


def _url(runner: Runner, environment: str) -> str:
    return runner.cloud["API_URL"].replace("mongo-client-local", f"mongo-client-{environment}")


def _health(runner: Runner, environment: str) -> tuple[int, str]:
    status, body = http.get(f"{_url(runner, environment)}/api/health")
    return status, body.get("functionVersion", "")


def _client(runner: Runner, service: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=runner.cloud["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="somebody",
        aws_secret_access_key="somebody",
    )


@pytest.fixture(scope="module")
def first(runner: Runner) -> Chapter:
    """The first merge: nothing is there yet, and no pull request showed a plan."""
    runner.hub.reviewers_of["production-approval"] = True
    return _merge(runner, "The first")


@pytest.fixture(scope="module")
def second(first: Chapter, runner: Runner) -> Chapter:
    """A pull request with a change of the handler, planned and merged, with a client calling."""
    repository, hub = runner.repository, runner.hub
    repository.start("change")
    repository.append("lambda_function.py", "\nCHANGED = True\n")
    head = repository.commit("Change the handler")
    hub.pull_requests[12] = {"labels": [], "merge_commit_sha": None, "head": {"sha": head}}
    planned = runner.run("pull_request", "ci.yml", events.pull_request(12, head), job="plan")
    assert planned.succeeded, planned.why()
    repository.back_to_main()
    repository.git("merge", "--quiet", "--no-ff", "change", "--message=Merge pull request #12")
    hub.pull_requests[12]["merge_commit_sha"] = repository.git("rev-parse", "HEAD")
    repository.git("push", "--quiet", "origin", "HEAD:main")
    with http.calling(_url(runner, "production"), pause_s=0.1) as answers:
        run = runner.run("push", "deploy.yml", events.push("Merge pull request #12"), pages=True)
    chapter = _chapter(runner, run, repository.git("rev-parse", "HEAD"))
    chapter.answers = answers
    return chapter


def test_a_merge_reaches_staging_and_then_production(first: Chapter, runner: Runner) -> None:
    assert first.run.succeeded, first.run.why()
    results = first.run.results()
    assert results.pop("Say why nothing is deployed") == "skipped" == results.pop("Pages")
    assert set(results.values()) == {"success"}
    order = [name for name in first.run.jobs if name in DEPLOY.values()]
    assert order == ["Staging / Deploy", "Production / Deploy"]
    assert (first.staging[0]["outcome"], first.production[0]["outcome"]) == ("succeeded",) * 2


def test_production_gets_the_bytes_that_staging_had(second: Chapter, runner: Runner) -> None:
    """Built once, by digest; both doors look at the attestation."""
    assert second.run.succeeded, second.run.why()
    assert second.staging[0]["bundle"] == second.production[0]["bundle"]
    codes = {
        _client(runner, "lambda").get_function_configuration(
            FunctionName=f"mongo-client-{environment}", Qualifier="live"
        )["CodeSha256"]
        for environment in DEPLOY
    }
    assert len(codes) == 1
    for job in DEPLOY.values():
        verified = second.run.step(job, "Verify that deploy.yml built it on main")
        assert verified.log.count("Verification succeeded") == 2
    assert sum("Build" in name for name in second.run.jobs) == 1


def test_each_door_has_its_own_role(second: Chapter) -> None:
    """The runner insists besides that each role trusts the job that got it."""
    roles = {name: job.roles for name, job in second.run.jobs.items() if job.roles}
    assert {name: [role.partition("/")[2] for role in got] for name, got in roles.items()} == {
        "Build": ["mongo-client-staging-plan"],
        "Staging / Deploy": ["mongo-client-staging-deploy"],
        "Plan production, and compare with what the pull request showed": [
            "mongo-client-production-plan"
        ],
        "Production / Deploy": ["mongo-client-production-deploy"],
    }


def test_a_client_sees_no_failed_request(second: Chapter) -> None:
    """Answered by the old version, then by the new."""
    assert second.answers is not None and set(second.answers) == {"1", "2"}


def test_what_was_approved_is_what_the_pull_request_showed(first: Chapter, second: Chapter) -> None:
    """The job that waits says in its name when it is not."""
    assert "Approve production" in second.run.jobs
    warning = "Approve production (the plan is not the one that the pull request showed)"
    assert warning in first.run.jobs
    assert "no pull request showed a plan" in first.run.summary
    assert "the same as the pull request showed" in second.run.summary


def test_the_ledger_names_the_commit_the_person_and_the_run(second: Chapter) -> None:
    release = second.production[0]
    assert release["commit"] == second.commit and release["actor"] == "octocat"
    assert release["run"].startswith("https://github.com/octo-org/mongo-client/actions/runs/")
    assert release["reason"] == "Merge pull request #12"


def test_the_summary_is_for_a_person_on_a_phone(second: Chapter) -> None:
    """What serves, what changed, the timeline as a picture, and how to go back."""
    for environment in DEPLOY:
        assert f"## {environment}: release 2 serves bundle" in second.run.summary
        assert f"rollback.yml --ref main -f environment={environment}" in second.run.summary
    assert "```mermaid" in second.run.summary


def test_each_deployment_leaves_a_release_page(second: Chapter, runner: Runner) -> None:
    """With what its role may read: the ledger, the manifests, where live points, the log."""
    assert set(second.pages) == set(DEPLOY)
    for environment, releases in (("staging", second.staging), ("production", second.production)):
        told = second.pages[environment]
        assert (told["environment"], told["live"]["version"]) == (environment, "2")
        assert [each["number"] for each in told["releases"]] == [2, 1]
        assert told["wayBack"] == 1 and told["releases"][1]["restore"] is True
        assert told["bundles"][told["releases"][0]["bundle"]]["id"] == releases[0]["bundle"]
        assert told["releases"][0]["figures"]["calls"] > 0


def test_the_site_is_productions_page(first: Chapter, second: Chapter, runner: Runner) -> None:
    """Where the repository wants one; the first merge found it did not."""
    [site] = runner.hub.sites
    assert release_page.told_by_site(site) == second.pages["production"]
    assert "https://octo-org.github.io/mongo-client/" in second.run.summary


def test_an_older_merge_does_not_land_on_a_newer_one(
    first: Chapter, second: Chapter, runner: Runner
) -> None:
    """Its run comes late: it is skipped, and says that its changes are deployed with the newer."""
    runner.repository.git("checkout", "--quiet", first.commit)
    late = _chapter(runner, runner.run("push", "deploy.yml", events.push("The first")))
    runner.repository.back_to_main()
    assert late.run.succeeded
    assert late.run.jobs["Staging / Deploy"].result == "skipped"
    assert "Production / Deploy" not in {
        name for name, job in late.run.jobs.items() if job.result == "success"
    }
    [notice] = [each["message"] for each in late.run.annotations]
    assert second.commit[:7] in notice and "Skipped" in notice and "Skipped" in late.run.summary
    assert (late.staging, late.production) == (second.staging, second.production)


@pytest.fixture(scope="module")
def words(second: Chapter, runner: Runner) -> Chapter:
    """A change of the README; main's newest commit is another one by now, that has no run."""
    runner.repository.append("README.md", "\nMore words.\n")
    commit = runner.repository.merge("Words")
    runner.repository.merge("Pushed by a workflow [skip ci]")
    runner.repository.git("checkout", "--quiet", commit)
    run = runner.run("push", "deploy.yml", events.push("Words"))
    runner.repository.back_to_main()
    return _chapter(runner, run)


def test_a_merge_with_nothing_to_deploy_says_so(second: Chapter, words: Chapter) -> None:
    """Nobody is asked for anything, and nothing is released."""
    assert words.run.succeeded, words.run.why()
    assert "nothing to do" in words.run.summary
    assert _asked(words) == ["skipped"]
    assert (words.staging, words.production) == (second.staging, second.production)


def test_a_newer_commit_that_nothing_deploys_displaces_nobody(words: Chapter) -> None:
    """Skipped for its sake, this merge would be deployed by no run at all."""
    assert "Skipped" not in words.run.summary
    assert words.run.jobs["Staging / Deploy"].result == "success"


def _asked(chapter: Chapter) -> list[str]:
    """Return how the job ended that asks a person to approve."""
    return [job.result for job in chapter.run.jobs.values() if job.id == "approve"]


@pytest.fixture(scope="module")
def failing(words: Chapter, runner: Runner) -> Chapter:
    """A merge whose handler starts and answers, but not as it must."""
    runner.repository.append(
        "lambda_function.py",
        "\n\ndef lambda_handler(event, context):\n    return {'statusCode': 500, 'body': '{}'}\n",
    )
    seen = _merge(runner, "Break the handler")
    runner.repository.git("revert", "--no-edit", "HEAD")
    return seen


def test_a_failed_check_in_staging_leaves_production_alone(
    second: Chapter, failing: Chapter, runner: Runner
) -> None:
    assert failing.run.failed() == [("Staging / Deploy", "Deploy")]
    assert any("/api/health" in each["message"] for each in failing.run.annotations)
    assert "staging: deployment failed" in failing.run.summary
    assert failing.production == second.production
    assert failing.staging[0]["outcome"] == "failed"
    assert _health(runner, "staging") == (200, "2") == _health(runner, "production")


def test_a_deployment_that_failed_leaves_a_release_page_too(failing: Chapter) -> None:
    """That is when somebody looks at it."""
    assert set(failing.pages) == {"staging"}
    newest = failing.pages["staging"]["releases"][0]
    assert newest["outcome"] == "failed" and "/api/health" in newest["error"]


@pytest.fixture(scope="module")
def unapproved(failing: Chapter, runner: Runner) -> Chapter:
    """A change of Terraform that no pull request showed, where nobody is asked to approve."""
    runner.hub.reviewers_of["production-approval"] = False
    runner.repository.replace(
        "terraform/environments/production/terraform.tfvars",
        "log_retention_days ",
        "memory_mb = 512\nlog_retention_days ",
    )
    return _merge(runner, "More memory")


@pytest.fixture(scope="module")
def after_a_rollback(unapproved: Chapter, second: Chapter, runner: Runner) -> Chapter:
    """Production is rolled back, and then comes a merge that leaves the bundle as it is."""
    runner.repository.git("checkout", "--quiet", second.commit)
    _roll_back(runner, "production")
    runner.repository.back_to_main()
    runner.repository.append("README.md", "\nStill more.\n")
    return _merge(runner, "Still more words")


@pytest.fixture(scope="module")
def by_hand(after_a_rollback: Chapter, runner: Runner) -> Chapter:
    """A person has read it, and dispatches the bundle, as the errors and notices say."""
    bundle = after_a_rollback.staging[0]["bundle"]
    event = events.dispatch(bundle=bundle, reason="it was right", release_from_quarantine="true")
    return _chapter(runner, runner.run("workflow_dispatch", "deploy.yml", event))


@pytest.fixture(scope="module")
def after_a_rollback_of_staging(by_hand: Chapter, runner: Runner) -> Chapter:
    _roll_back(runner, "staging")
    runner.repository.append("README.md", "\nThe last.\n")
    return _merge(runner, "The last words")


def _roll_back(runner: Runner, environment: str) -> None:
    project = Project(runner.repository.clone, dict(runner.cloud))
    project.must("rollback", "--environment", environment, "--reason", "it was slow")


def test_a_plan_that_nobody_saw_stops_before_production(
    second: Chapter, unapproved: Chapter
) -> None:
    """A private repository may have nobody to approve: then a person starts it by hand."""
    plan = "Plan production, and compare with what the pull request showed"
    assert unapproved.run.failed() == [(plan, "A difference needs somebody to approve it")]
    told = [each["message"] for each in unapproved.run.annotations if each["level"] == "error"]
    assert any("gh workflow run deploy.yml --ref main -f bundle=" in each for each in told)
    assert unapproved.production == second.production


def test_without_the_environment_that_asks_it_is_said_that_there_is_none(runner: Runner) -> None:
    """GitHub makes one that asks nobody when a job first names it, which would be too late."""
    runner.hub.reviewers_of.pop("production-approval", None)
    step = ("deploy.yml", "plan", "A difference needs somebody to approve it")
    done = runner.script(*step, BUNDLE="abc")
    assert done.returncode == 1
    assert "::error::There is no environment production-approval: make it" in done.stdout
    runner.hub.reviewers_of["production-approval"] = True
    assert runner.script(*step, BUNDLE="abc").returncode == 0


def test_a_merge_of_what_was_rolled_back_asks_nobody_and_is_no_failure(
    after_a_rollback: Chapter,
) -> None:
    """It says that nothing is deployed, why, and what a person can do."""
    assert after_a_rollback.run.succeeded, after_a_rollback.run.why()
    assert _asked(after_a_rollback) == ["skipped"]
    assert (after_a_rollback.production[0]["kind"], after_a_rollback.production[0]["restores"]) == (
        "rollback",
        1,
    )
    [notice] = [each["message"] for each in after_a_rollback.run.annotations]
    assert "was rolled back in production by" in notice and "it was slow" in notice
    assert "-f release-from-quarantine=true" in notice
    assert "In quarantine" in after_a_rollback.run.summary


def test_a_merge_of_what_was_rolled_back_in_staging_stops_before_it(
    by_hand: Chapter, after_a_rollback_of_staging: Chapter, runner: Runner
) -> None:
    """And leaves no deployment, which would pass for one that did well."""
    seen = after_a_rollback_of_staging
    assert seen.run.succeeded, seen.run.why()
    assert {name for name, job in seen.run.jobs.items() if job.result == "success"} == {"Build"}
    [notice] = [each["message"] for each in seen.run.annotations]
    assert "was rolled back in staging by" in notice
    assert seen.commit not in {each["commit"] for each in runner.hub.deployments}
    assert seen.production == by_hand.production


def test_a_repository_without_an_account_deploys_nothing_and_says_so(runner: Runner) -> None:
    run = runner.run("push", "deploy.yml", events.push(), variables=False)
    assert run.succeeded, run.why()
    done = [name for name, job in run.jobs.items() if job.result == "success"]
    assert done == ["Say why nothing is deployed"]
    [notice] = [each["message"] for each in run.annotations]
    assert "AWS_ACCOUNT_ID, AWS_REGION and SERVICE are not set" in notice


def test_a_given_bundle_can_be_deployed_by_hand(by_hand: Chapter, runner: Runner) -> None:
    """It comes from the store, by its digest, nothing is built; and it is in quarantine no more."""
    assert by_hand.run.succeeded, by_hand.run.why()
    assert by_hand.run.jobs["Build"].result == "skipped"
    newest = by_hand.production[0]
    assert (newest["release"], newest["outcome"]) == (4, "succeeded")
    assert (newest["bundle"], newest["reason"]) == (by_hand.staging[0]["bundle"], "it was right")
    project = Project(runner.repository.clone, dict(runner.cloud))
    told = project.must("quarantine", newest["bundle"], *PRODUCTION)
    assert "is not in quarantine in production" in told
    memory = _client(runner, "lambda").get_function_configuration(
        FunctionName="mongo-client-production", Qualifier="live"
    )["MemorySize"]
    assert memory == 512
