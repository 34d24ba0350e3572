"""A rollback on GitHub while other hosts are out of reach, and while a deployment is under way."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from scratch.project import Project
from tests.workflows import deployed, events, network
from tests.workflows.act_log import Run
from tests.workflows.network import Network
from tests.workflows.runner import Runner

pytestmark = pytest.mark.extended

ENVIRONMENT = ("--environment", "production")
ARTIFACTS = "mongo-client-artifacts-123456789012"
FETCH = "Fetch the pipeline that deployed last, and verify its digest"
FOLLOW = "Run Terraform and verify the attestations"
NAME = "mongo-client-production"


@pytest.fixture(scope="module")
def project(
    runner: Runner,
    ready_account: None,
    built_bundle: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Project:
    """A project, with two releases of production. Main has been broken since."""
    project = runner.project(tmp_path_factory.mktemp("project") / "copy")
    Project.copy_to(project.folder)
    deployed.deploy(runner, project, built_bundle, "production")
    second = deployed.build_another(project, built_bundle)
    deployed.deploy(runner, project, second, "production")
    project.must("github", "store-pipeline", *ENVIRONMENT)
    runner.repository.append("pipeline/__init__.py", "\nraise SystemExit('main is broken')\n")
    runner.repository.merge("Break everything")
    return project


def _alias(runner: Runner) -> dict[str, Any]:
    functions = deployed.client(runner, "lambda")
    return dict(functions.get_alias(FunctionName=NAME, Name="live"))


def _weights(runner: Runner) -> dict[str, float]:
    return dict(_alias(runner).get("RoutingConfig", {}).get("AdditionalVersionWeights", {}))


def _live(runner: Runner) -> str:
    return str(_alias(runner)["FunctionVersion"])


def _roll_back(runner: Runner, network: Network, **inputs: str) -> Run:
    given = {"environment": "production", "release": "", "reason": "it was bad"}
    given |= {"dry_run": "false", "cancel_deployment": "true"} | inputs
    event = events.dispatch(**given)
    return runner.run("workflow_dispatch", "rollback.yml", event, network=network)


def _newest(project: Project) -> dict[str, Any]:
    return deployed.releases(project, "production")[0]


def test_until_traffic_is_back_only_github_and_aws_are_called(
    runner: Runner, project: Project
) -> None:
    """Though main is broken. Then Terraform and the attestations follow, in the same job."""
    before = _live(runner)
    with network.serving(lambda: _live(runner) != before) as hosts:
        run = _roll_back(runner, hosts)
    assert run.succeeded, run.why()
    assert hosts.refused == []
    assert hosts.reached.count("releases.hashicorp.com") == 1
    assert hosts.reached.count("tuf-repo-cdn.sigstore.dev") == 2
    assert deployed.serves(runner, "production") == "1"
    newest = _newest(project)
    assert (newest["kind"], newest["restores"], newest["pending"]) == ("rollback", 1, [])
    assert newest["attested"] is True and newest["plan_sha256"]
    assert project.must("plan", *ENVIRONMENT, "--bundle", "live").strip() == "No changes."
    assert "## production: Terraform has followed the rollback to release `#1`" in run.summary
    assert runner.artifact("release-page-production").is_dir()


def test_what_cannot_follow_is_finished_by_the_same_dispatch(
    runner: Runner, project: Project
) -> None:
    """Traffic is back, and the job, which fails, says what is missing and how to go on."""
    served = _live(runner)
    third = deployed.build_another(project, project.folder / "another", "third")
    deployed.deploy(runner, project, third, "production")
    left, before = _live(runner), _newest(project)["release"]
    with network.serving(lambda: False) as hosts:
        run = _roll_back(runner, hosts)
    assert (
        run.failed() == [("Roll back", "Set up Terraform"), ("Roll back", FOLLOW)]
        or [("Roll back", FOLLOW)] == run.failed()
    )
    assert set(hosts.refused) == {"releases.hashicorp.com", "tuf-repo-cdn.sigstore.dev"}
    assert _live(runner) == served != left
    restored = _newest(project)
    assert (restored["outcome"], restored["pending"]) == ("succeeded", ["attestation", "terraform"])
    output = run.step("Roll back", FOLLOW).log
    assert "error[terraform-failed]: the attestation of lambda_function.zip" in output
    assert "terraform is not installed" in output
    assert "::error" in output or run.annotations, output
    assert f"traffic: unchanged: v{served} serves all of it" in output
    target = restored["restores"]
    again = f"rollback.yml --ref main -f environment=production -f release={target} -f reason="
    assert again in output and again in run.summary
    assert f"traffic is back at release `#{target}`, something has not followed" in run.summary

    with network.serving(lambda: True) as hosts:
        run = _roll_back(runner, hosts)
    assert run.succeeded, run.why()
    finished = _newest(project)
    assert (finished["release"], finished["pending"]) == (restored["release"], [])
    assert restored["release"] == before + 1 and _live(runner) == served
    assert project.must("plan", *ENVIRONMENT, "--bundle", "live").strip() == "No changes."


def test_a_pipeline_that_was_tampered_with_is_not_started(runner: Runner, project: Project) -> None:
    s3 = deployed.client(runner, "s3")
    digest = s3.get_object(Bucket=ARTIFACTS, Key="pipeline/production")["Body"].read().decode()
    stored = {"Bucket": ARTIFACTS, "Key": f"packages/{digest.strip()}/pipeline.pyz"}
    good = s3.get_object(**stored)["Body"].read()
    live, newest = _live(runner), _newest(project)
    for content in (good + b"\0", good):
        # The bucket refuses to overwrite it.
        s3.delete_object(**stored)
        s3.put_object(**stored, Body=content, IfNoneMatch="*")
        if content != good:
            with network.serving(lambda: True) as hosts:
                run = _roll_back(runner, hosts)
    assert run.failed() == [("Roll back", FETCH)]
    assert "pipeline.pyz: FAILED" in run.step("Roll back", FETCH).log
    assert (_live(runner), _newest(project)) == (live, newest) and hosts.reached == []


def test_a_deployment_in_its_way_is_cancelled(runner: Runner, project: Project) -> None:
    """Its canary has a share of the traffic, which goes back; nobody has to start it again."""
    steps = project.folder / "terraform/environments/production/rollout.toml"
    quick = steps.read_text()
    steps.write_text("percents = [10, 100]\nwatch_s = 250\nleast_calls = 1\nalarms = []\n")
    bundle = deployed.build_another(project, project.folder / "another", "canary")
    deployed.attest(runner, bundle)
    arguments = [
        "deploy",
        *ENVIRONMENT,
        "--bundle",
        str(bundle),
        "--skip-promotion-check",
        "--reason",
        "new",
    ]
    job = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "octo-org/mongo-client",
        "GITHUB_RUN_ID": "777",
        "GITHUB_STEP_SUMMARY": str(project.folder / "summary"),
        "GITHUB_OUTPUT": str(project.folder / "outputs"),
    }
    process = subprocess.Popen(
        project.command(*arguments),
        cwd=project.folder,
        env=project.process_environment() | job,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not _weights(runner):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    runner.hub.on_cancel["777"] = lambda: process.send_signal(signal.SIGINT)
    with network.serving(lambda: True) as hosts:
        run = _roll_back(runner, hosts)
    printed, _ = process.communicate()
    steps.write_text(quick)
    assert run.succeeded, run.why()
    assert "error[stopped]" in printed
    rollback, cancelled = deployed.releases(project, "production")[:2]
    assert (cancelled["outcome"], cancelled["error"]) == ("failed", "stopped")
    assert (rollback["kind"], rollback["outcome"]) == ("rollback", "succeeded")
    assert (_live(runner), _weights(runner)) == (rollback["version"], {})
    assert rollback["release"] == cancelled["release"] + 1
