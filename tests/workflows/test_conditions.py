"""Which jobs and steps run, and which do not: the workflows' conditions, without what they do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.workflows import conditions, events
from tests.workflows.act_log import Run
from tests.workflows.runner import Runner, on_a_hub

pytestmark = pytest.mark.extended

HEAD = "5ca1ab1e" * 5
# What needs a role, or shows what a job with a role did.
NO_ROLE = {"Plan staging", "Plan production", "Show the plans"}
BUILT = ("Build / Build", "Build / Attest")
PLAN = "Plan production and compare with the pull request's plan"
FOLLOW = "Run Terraform and verify the attestations"
NEEDED = "Check that a difference can be approved"
TURN = "Check the ledger and the quarantine"
DISPATCH = events.dispatch(bundle="b", reason="it was right", release_from_quarantine="false")


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """A repository on a hub, where nothing needs a cloud."""
    with on_a_hub(tmp_path_factory.mktemp("conditions"), {}) as runner:
        yield runner


def _pull_request(runner: Runner, failing: str = "", **event: str) -> Run:
    opened = events.pull_request(6, HEAD, **event)
    return conditions.run(runner, "pull_request", "ci.yml", opened, failing=[failing])


def _merge(runner: Runner, **given: Any) -> Run:
    return conditions.run(runner, "push", "deploy.yml", events.push(), **given)


def _planned(**outputs: str) -> dict[str, dict[str, str]]:
    """Return what the plan of production puts out."""
    usual = {"differs": "false", "nothing-to-do": "false", "quarantined": "false"}
    return {"Plan and compare": usual | {key.replace("_", "-"): outputs[key] for key in outputs}}


def _done(run: Run) -> set[str]:
    """Return the names of the jobs that ran, and did well."""
    return {name for name, result in run.results().items() if result == "success"}


@pytest.mark.parametrize(
    "event", [{"repository": "somebody/mongo-client"}, {"author": "dependabot[bot]"}]
)
def test_a_pull_request_without_a_role_gets_all_that_needs_none(
    runner: Runner, event: dict[str, str]
) -> None:
    """It is linted, tested, built, compared and inspected, and it passes."""
    run = _pull_request(runner, **event)
    assert run.succeeded, run.why()
    assert not _done(run) & NO_ROLE
    needing_none = {
        "Lint",
        "Test",
        "Same bytes on both images",
        "Explain why there is no plan",
        "ci",
    }
    assert needing_none <= _done(run)
    images = ("ubuntu-24.04", "ubuntu-26.04")
    assert {f"Build and inspect on {image}" for image in images} <= _done(run)


def test_a_merge_queue_is_checked_without_a_plan(runner: Runner) -> None:
    run = conditions.run(runner, "merge_group", "ci.yml", {})
    assert run.succeeded, run.why()
    assert "Same bytes on both images" in _done(run) and "ci" in _done(run)
    assert not _done(run) & {*NO_ROLE, "Explain why there is no plan"}


@pytest.mark.parametrize("step", ["Lint", "Test"])
def test_a_pull_request_that_fails_a_check_fails(runner: Runner, step: str) -> None:
    run = _pull_request(runner, step)
    assert not run.succeeded and run.jobs["ci"].result == "failure"


@pytest.mark.parametrize("step", ["Compile the handler and build the bundle", "Inspect"])
def test_a_build_that_fails_stops_before_the_plan(runner: Runner, step: str) -> None:
    """The comment of an earlier commit is brought up to date all the same."""
    run = _pull_request(runner, step)
    assert run.jobs["Same bytes on both images"].result == "skipped"
    assert run.jobs["Plan staging"].result == "skipped"
    assert run.jobs["ci"].result == "failure"
    assert "Show the plans" in _done(run)


def test_images_that_build_different_bytes_fail_the_check(runner: Runner) -> None:
    """The plan does not wait for the comparison."""
    run = _pull_request(runner, "Compare")
    assert "Plan staging" in _done(run)
    assert run.jobs["ci"].result == "failure"


def test_a_plan_that_fails_is_published_and_fails(runner: Runner) -> None:
    run = _pull_request(runner, "Plan")
    assert run.step("Plan staging", "Upload the plan").result == "success"
    assert "Show the plans" in _done(run)
    assert run.jobs["ci"].result == "failure"


def test_a_merge_that_goes_well(runner: Runner) -> None:
    """A repository that does not want a site gets none."""
    run = _merge(runner)
    assert run.succeeded, run.why()
    assert [name for name in run.jobs if "Deploy" in name] == [
        "Staging / Deploy",
        "Production / Deploy",
    ]
    assert run.step(PLAN, NEEDED).result == "skipped"
    assert run.results()["Pages"] == "skipped"


def test_a_failed_deployment_to_production_leaves_a_release_page(runner: Runner) -> None:
    """On GitHub it is published, too; act ends with the called workflow that failed."""
    run = _merge(runner, failing=["production: Deploy"], pages=True)
    assert run.failed() == [("Production / Deploy", "Deploy")]
    assert run.step("Production / Deploy", "Upload the release page").result == "success"


def test_a_merge_of_what_was_rolled_back_in_staging_stops_before_it(runner: Runner) -> None:
    """So it leaves no deployment, which would pass for one that did well."""
    run = _merge(runner, outputs={TURN: {"turn": "false"}})
    assert run.succeeded and _done(run) == {*BUILT, "Staging / Check the order of deployments"}
    assert run.jobs["Staging / Deploy"].result == "skipped"


def test_a_merge_that_is_overtaken_needs_no_approval(runner: Runner) -> None:
    """A newer one is in production: nobody has to approve what would go back."""
    run = _merge(
        runner, outputs={"Check that nothing newer was deployed": {"turn": "false"}}, pages=True
    )
    assert run.succeeded, run.why()
    assert _done(run) == {
        *BUILT,
        "Staging / Check the order of deployments",
        "Staging / Deploy",
        PLAN,
    }


def test_an_approved_merge_that_is_overtaken_fails(runner: Runner) -> None:
    """It is never skipped in green: somebody expects it in production."""
    run = _merge(runner, failing=[f"production: {TURN}"], pages=True)
    assert run.failed() == [("Production / Check the order of deployments", TURN)]
    assert run.jobs["Production / Deploy"].result == "skipped"


@pytest.mark.parametrize("approved", [True, False])
def test_what_a_person_wants_is_not_skipped_in_green(runner: Runner, approved: bool) -> None:
    """Whatever it is that skips it: of what was approved or dispatched, a last job sees to that."""
    skipped = {f"production: {TURN}": {"turn": "false"}}
    if approved:
        run = _merge(runner, outputs=skipped)
    else:
        planned = _planned(quarantined="true")
        run = conditions.run(runner, "workflow_dispatch", "deploy.yml", DISPATCH, outputs=planned)
    assert run.failed() == [("Check that it was deployed", "Report that nothing was deployed")]


def test_a_failed_deployment_to_staging_leaves_production_alone(runner: Runner) -> None:
    """Its release page is uploaded: that is when somebody looks at it."""
    run = _merge(runner, failing=["staging: Deploy"], pages=True)
    assert not run.succeeded
    assert _done(run) == {*BUILT, "Staging / Check the order of deployments"}
    assert run.step("Staging / Deploy", "Upload the release page").result == "success"


@pytest.mark.parametrize("outputs", [{"nothing_to_do": "true"}, {"quarantined": "true"}])
def test_a_merge_with_nothing_to_deploy_needs_nobody(
    runner: Runner, outputs: dict[str, str]
) -> None:
    """Nobody has to approve it, or to explain a difference; it is no failure."""
    run = _merge(runner, outputs=_planned(differs="true", **outputs))
    assert run.succeeded, run.why()
    assert run.step(PLAN, NEEDED).result == "skipped"
    assert _done(run) == {
        *BUILT,
        "Staging / Check the order of deployments",
        "Staging / Deploy",
        PLAN,
    }


def test_a_difference_needs_somebody_to_approve_it(runner: Runner) -> None:
    """Where nobody can, the run stops before production."""
    run = _merge(runner, outputs=_planned(differs="true"), failing=[NEEDED])
    assert run.failed() == [(PLAN, NEEDED)]
    assert not any("Production" in name or "Approve" in name for name in _done(run))


def test_the_job_that_waits_says_that_the_plan_is_another_one(runner: Runner) -> None:
    run = _merge(runner, outputs=_planned(differs="true"))
    assert run.succeeded, run.why()
    assert run.step(PLAN, NEEDED).result == "success"
    waiting = "Approve production (the plan differs from the pull request's)"
    assert {waiting, "Production / Deploy"} <= _done(run)


@pytest.mark.parametrize("released", ["true", "false"])
def test_a_person_can_release_a_bundle_from_quarantine(runner: Runner, released: str) -> None:
    """The person who dispatches it has read the plan: a difference needs nobody else."""
    event = events.dispatch(bundle="b", reason="it was right", release_from_quarantine=released)
    run = conditions.run(
        *(runner, "workflow_dispatch", "deploy.yml", event),
        outputs=_planned(differs="true", quarantined="true"),
    )
    assert run.succeeded == (released == "true"), run.why()
    assert run.results()["Build"] == "skipped"
    assert run.step(PLAN, NEEDED).result == "skipped"
    assert ("Production / Deploy" in _done(run)) == (released == "true")


def test_a_given_bundle_comes_from_the_store(runner: Runner) -> None:
    run = conditions.run(runner, "workflow_dispatch", "deploy.yml", DISPATCH)
    for job in ("Staging / Deploy", "Production / Deploy"):
        assert run.step(job, "Download the bundle from the store").result == "success"
        assert run.step(job, "Download the bundle").result == "skipped"


def _roll_back(runner: Runner, *failing: str, **inputs: str) -> Run:
    usual = {"environment": "production", "release": "", "reason": "r", "dry_run": "false"}
    event = events.dispatch(**usual | inputs)
    return conditions.run(
        runner, "workflow_dispatch", "rollback.yml", event, failing=failing, pages=True
    )


@pytest.mark.parametrize(
    "step",
    [
        "Check that this is main",
        "Fetch the pipeline that deployed last, and verify its digest",
        "Restore traffic",
    ],
)
def test_a_rollback_that_is_refused_lets_nothing_follow(runner: Runner, step: str) -> None:
    run = _roll_back(runner, step)
    assert [name for _, name in run.failed()] == [step]
    assert run.step("Roll back", FOLLOW).result == "skipped"


def test_a_rollback_without_terraform_says_so_and_leaves_its_page(runner: Runner) -> None:
    run = _roll_back(runner, "Set up Terraform", FOLLOW)
    assert not run.succeeded
    assert run.step("Roll back", "Upload the release page").result == "success"


def test_a_dry_run_rolls_nothing_back(runner: Runner) -> None:
    run = _roll_back(runner, dry_run="true")
    assert run.succeeded, run.why()
    assert run.step("Roll back", "Show what would happen").result == "success"
    assert run.step("Roll back", "Restore traffic").result == "skipped"
    assert run.step("Roll back", FOLLOW).result == "skipped"
    assert run.results()["Pages"] == "skipped"


def test_the_site_shows_a_rollback_that_failed_too(runner: Runner) -> None:
    run = _roll_back(runner, "Restore traffic")
    assert run.step("Roll back", "Upload the release page").result == "success"
    assert "Pages / Publish" in _done(run)


def test_the_site_is_for_production(runner: Runner) -> None:
    assert _roll_back(runner, environment="staging").results()["Pages"] == "skipped"
