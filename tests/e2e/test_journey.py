"""From source to a running function, replaced and rolled back, with the real parts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support import http, terminal
from tests.support import release_page
from scratch.project import Project, Result
from tests.support.terminal import Terminal

pytestmark = pytest.mark.integration

ENVIRONMENT = ("--environment", "local")


@dataclass
class Journey:
    """What was seen on the way: two deployments and a rollback, with clients calling throughout."""

    settings: dict[str, str]
    project: Project
    first_bundle: str
    second_bundle: str
    first: Result
    second: Terminal
    again: Result
    plan_of_change: dict[str, Any]
    plan_after_deploy: int
    during_deploy: Counter[str]
    during_rollback: Counter[str]
    plan_after_rollback: int
    rollback: Result


@pytest.fixture(scope="module")
def journey(
    fresh_cloud: dict[str, str],
    quick_cloud: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Journey:
    """The `settings` are for what goes to another environment, the project's are quicker."""
    project = Project.copy_to(tmp_path_factory.mktemp("journey") / "project", quick_cloud)
    first_bundle = project.must("build").strip()
    first = project.run("deploy", *ENVIRONMENT, "--reason", "the first")
    again = project.run("deploy", *ENVIRONMENT)

    project.append_to_handler("\nCHANGED = True\n")
    second_bundle = project.must("build").strip()
    plan_of_change = json.loads(project.must("plan", *ENVIRONMENT, "--json"))
    with http.calling(fresh_cloud["API_URL"]) as during_deploy:
        second = ("deploy", *ENVIRONMENT, "--bundle", "build", "--reason", "the second")
        with terminal.at(project, *second) as seen:
            pass
        assert seen.process.returncode == 0, seen.text
    plan_after_deploy = _terraform_plan(project, second_bundle)

    with http.calling(fresh_cloud["API_URL"]) as during_rollback:
        rollback = project.run("rollback", *ENVIRONMENT, "--reason", "the second was bad")
    return Journey(
        settings=fresh_cloud,
        project=project,
        first_bundle=first_bundle,
        second_bundle=second_bundle,
        first=first,
        second=seen,
        again=again,
        plan_of_change=plan_of_change,
        plan_after_deploy=plan_after_deploy,
        during_deploy=during_deploy,
        during_rollback=during_rollback,
        plan_after_rollback=_terraform_plan(project, first_bundle),
        rollback=rollback,
    )


def _terraform_plan(project: Project, bundle_id: str) -> int:
    """Run `terraform plan -detailed-exitcode` itself, with the bundle's variables."""
    variables = Path(project.folder, "bundle.tfvars.json")
    code = (
        "import json; from pipeline import aws, store, terraform; account = aws.connect(); "
        f"manifest = store.load(account, '{bundle_id}').manifest; "
        "print(json.dumps(terraform.bundle_variables(account, manifest)))"
    )
    environment = project.process_environment()
    told = subprocess.run(
        [project.command()[0], "-c", code],
        cwd=project.folder,
        env=environment,
        capture_output=True,
        check=True,
    )
    variables.write_bytes(told.stdout)
    return subprocess.run(
        [
            *("terraform", "-chdir=terraform", "plan", "-input=false", "-detailed-exitcode"),
            *("-var-file=environments/local/terraform.tfvars", f"-var-file={variables}"),
        ],
        cwd=project.folder,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        timeout=120,
    ).returncode


def test_the_first_deployment_answers_over_http(journey: Journey) -> None:
    """Health, a write and a read, through API, alias, runtime, layer and database."""
    assert journey.first.returncode == 0, journey.first.stderr
    status, body = http.get(f"{journey.settings['API_URL']}/api/health")
    assert (status, body["status"]) == (200, "ok")
    status, written = http.action(journey.settings, "insertOne", document={"name": "here"})
    assert status == 201
    status, found = http.action(journey.settings, "findOne", filter={"name": "here"})
    assert status == 200 and found["document"]["_id"] == written["insertedId"]


def test_deploying_what_is_live_does_nothing(journey: Journey) -> None:
    assert journey.again.returncode == 0, journey.again.stderr
    assert "nothing to do" in journey.again.stdout


def test_a_changed_handler_changes_the_functions_code_and_nothing_else(journey: Journey) -> None:
    """The plan updates the function in place; the layer is untouched, nothing is replaced."""
    [change] = journey.plan_of_change["changes"]
    assert change["address"] == "aws_lambda_function.function"
    assert change["action"] == "update"
    assert change["attributes"] == ["s3_key", "source_code_hash"]
    assert journey.plan_of_change["destroys"] == []


def test_a_terminal_shows_how_far_a_deployment_is(journey: Journey) -> None:
    """Bytes that were sent, resources as Terraform counts them, what the canary's calls came to."""
    told = journey.second.text
    changes = journey.plan_of_change["changes"]
    total = len(changes)
    assert f"0 of {total} resources  {changes[0]['address']}" in told
    assert f"{total} of {total} resources" in told
    assert re.search(r"([\d,]+) of \1 bytes +pymongo-layer.zip", told)
    assert re.search(r"10 % .* s left +version 2: \d+ calls, 0 failed; version 1: [1-9]", told)
    assert re.search(r"calls .* version 2: (\d+) calls, 0 failed; version 1: \1 calls", told)


def test_what_stays_on_a_terminal_is_what_a_log_has(journey: Journey) -> None:
    """Bars are gone when their step is, and a log has never had any."""
    log = journey.first.stderr + journey.rollback.stderr
    assert "\x1b" not in log + journey.first.stdout and "resources" not in log
    stayed = journey.second.screen
    assert not any("━" in line or "resources" in line for line in stayed)
    assert any("Modifications complete" in line for line in stayed)
    before_the_table = stayed[: stayed.index(next(each for each in stayed if "phase " in each))]
    told = [line.split()[0] for line in before_the_table if re.match("[a-z]+ +[a-z]", line)]
    assert told == ["inspect", "store", "plan", "apply", "smoke", "switch"]
    assert journey.second.shows_its_cursor


def test_terraform_agrees_after_a_deployment(journey: Journey) -> None:
    assert journey.plan_after_deploy == 0


def test_terraform_agrees_after_a_rollback(journey: Journey) -> None:
    assert journey.rollback.returncode == 0, journey.rollback.stderr
    assert journey.plan_after_rollback == 0


def test_no_request_fails_during_a_deployment(journey: Journey) -> None:
    """A client that calls throughout is answered by the old version, then by the new."""
    assert set(journey.during_deploy) == {"1", "2"}


def test_no_request_fails_during_a_rollback(journey: Journey) -> None:
    """A client that calls throughout is answered by the bad version, then by the restored one."""
    assert set(journey.during_rollback) == {"2", "1"}


def test_the_ledger_tells_what_happened_newest_first(journey: Journey) -> None:
    releases = json.loads(journey.project.must("releases", *ENVIRONMENT, "--json"))[-3:]
    told = [(each["release"], each["kind"], each["outcome"], each["bundle"]) for each in releases]
    assert told == [
        (3, "rollback", "succeeded", journey.first_bundle),
        (2, "deploy", "succeeded", journey.second_bundle),
        (1, "deploy", "succeeded", journey.first_bundle),
    ]
    assert [each["version"] for each in releases] == ["1", "2", "1"]
    reasons = [each["reason"] for each in releases]
    assert reasons == ["the second was bad", "the second", "the first"]
    for each in releases:
        assert each["actor"] and each["time"] <= each["ended"] and each["plan_sha256"]
        assert "commit" in each
    phases = [phase["name"] for phase in releases[1]["phases"]]
    assert phases == ["inspect", "store", "plan", "apply", "smoke", "10 %", "100 %", "switch"]
    restored = [phase["name"] for phase in releases[0]["phases"]]
    assert restored == ["prove", "switch", "plan", "apply", "check"]


def test_the_dashboard_is_marked_with_releases_and_rollbacks(journey: Journey) -> None:
    """Two deployments and a rollback; one that had nothing to do leaves no mark."""
    cloudwatch = boto3.client(
        "cloudwatch",
        endpoint_url=journey.settings["AWS_ENDPOINT_URL"],
        region_name=journey.settings["AWS_REGION"],
        aws_access_key_id="person",
        aws_secret_access_key="person",
    )
    now = datetime.now(UTC)
    marks = {}
    for kind in ("deploy", "rollback"):
        found = cloudwatch.get_metric_statistics(
            Namespace="mongo-client",
            MetricName="Releases",
            Dimensions=[
                {"Name": "Environment", "Value": "local"},
                {"Name": "Kind", "Value": kind},
            ],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(minutes=1),
            Period=3600,
            Statistics=["Sum"],
        )
        marks[kind] = sum(point["Sum"] for point in found["Datapoints"])
    assert marks == {"deploy": 2, "rollback": 1}


def test_the_release_list_is_for_people_too(journey: Journey) -> None:
    told = journey.project.must("releases", *ENVIRONMENT)
    assert "rollback to 1" in told and journey.second_bundle[:12] in told


def test_a_rolled_back_bundle_is_in_quarantine(journey: Journey) -> None:
    """Deploying it again is refused, with who rolled it back and why; nothing changes."""
    done = journey.project.run("deploy", *ENVIRONMENT)
    assert done.returncode == 1
    assert "error[bundle-quarantined]" in done.stderr and "the second was bad" in done.stderr
    status, body = http.get(f"{journey.settings['API_URL']}/api/health")
    assert (status, body["functionVersion"]) == (200, "1")


def test_releasing_from_quarantine_needs_a_reason(journey: Journey) -> None:
    done = journey.project.run("deploy", *ENVIRONMENT, "--release-from-quarantine")
    assert done.returncode == 2 and "--reason" in done.stderr


def test_rolling_back_an_unknown_release_lists_those_there_are(journey: Journey) -> None:
    done = journey.project.run("rollback", *ENVIRONMENT, "--to", "77")
    assert done.returncode == 1
    assert "release 77 does not exist: there are 1 to " in done.stderr
    assert (
        "Choose one with --to:\n     2  " in done.stderr
        and journey.second_bundle[:12] in done.stderr
    )


def test_a_second_rollback_does_not_bounce(journey: Journey) -> None:
    """Before the first release there is nothing, and the one rolled back is in quarantine."""
    done = journey.project.run("rollback", *ENVIRONMENT)
    assert done.returncode == 1 and "error[release-unusable]" in done.stderr


def test_the_release_page_tells_the_journey(journey: Journey, tmp_path: Path) -> None:
    """With the figures of each release's calls, as the function's log has them."""
    journey.project.must("page", *ENVIRONMENT, "--out", str(tmp_path))
    told = release_page.told(tmp_path / "index.html")
    assert [(each["kind"], each["outcome"]) for each in told["releases"]] == [
        ("rollback", "succeeded"),
        ("deploy", "succeeded"),
        ("deploy", "succeeded"),
    ]
    assert (told["live"]["version"], told["serving"], told["wayBack"]) == ("1", 3, None)
    third, second, first = told["releases"]
    assert told["bundles"][first["bundle"]]["id"] == journey.first_bundle
    assert "the second was bad" in told["bundles"][second["bundle"]]["quarantined"]
    for release in told["releases"]:
        assert release["figures"]["calls"] > 0 and release["figures"]["errors"] == 0
    assert first["figures"]["init"] > 0 and second["figures"]["init"] > 0


def test_a_change_of_settings_alone_is_a_release(journey: Journey) -> None:
    """The plan names what changes; the new version serves; Terraform agrees afterwards."""
    project = Project(journey.project.folder, dict(journey.settings))
    staging = ("--environment", "staging", "--bundle", journey.first_bundle)
    project.must("deploy", *staging)
    project.environment |= {
        "TF_VAR_memory_mb": "512",
        "TF_VAR_timeout_s": "8",
        "TF_VAR_tracing_mode": "PassThrough",
        "TF_VAR_log_format": "JSON",
        "TF_VAR_throttle_burst": "50",
        "TF_VAR_throttle_requests_per_second": "20",
        "TF_VAR_log_retention_days": "7",
    }
    plan = json.loads(project.must("plan", *staging, "--json"))
    changed = {each["address"]: each["attributes"] for each in plan["changes"]}
    assert changed["aws_lambda_function.function"] == [
        "logging_config.log_format",
        "memory_size",
        "timeout",
        "tracing_config.mode",
    ]
    assert "as version 2" in project.must("deploy", *staging)
    assert project.must("plan", *staging).strip() == "No changes."


def test_a_stored_bundle_can_be_planned_by_the_start_of_its_id(journey: Journey) -> None:
    plan = journey.project.must("plan", *ENVIRONMENT, "--bundle", journey.first_bundle[:12])
    assert plan.strip() == "No changes."


def test_terraform_is_set_up_once_and_anew_for_another_state(
    journey: Journey, tmp_path: Path
) -> None:
    """Both environments share Terraform's data folder here."""
    log, program = tmp_path / "log", tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$*" >> {log}\nexec {shutil.which("terraform")} "$@"\n')
    program.chmod(0o755)
    path = {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    project = Project(journey.project.folder, {**journey.settings, **path})

    def plan(environment: str) -> tuple[str, int]:
        log.unlink(missing_ok=True)
        told = project.must(
            *("plan", "--environment", environment, "--bundle", journey.first_bundle)
        )
        return told, log.read_text().count(" init ")

    assert plan("production")[0].lstrip().startswith("+ ")
    assert plan("local") == ("No changes.\n", 1)
    assert plan("local") == ("No changes.\n", 0)


def test_neither_a_folder_nor_a_stored_id_is_a_clear_error(journey: Journey) -> None:
    """With the nearest folder or id, if one is near, whichever verb it was given to."""
    start = journey.first_bundle[:9]
    wrong_digit = start[:4] + ("1" if start[4] == "0" else "0") + start[5:]
    for verb, reference, near in (
        (("plan", *ENVIRONMENT, "--bundle"), "nowhere", None),
        (("deploy", *ENVIRONMENT, "--bundle"), "0" * 64, None),
        (("plan", *ENVIRONMENT, "--bundle"), "biuld", "build"),
        (("deploy", *ENVIRONMENT, "--bundle"), wrong_digit, start),
        (("quarantine", *ENVIRONMENT), f"{start[:6]}x{start[7:]}", start),
        (("fetch", "--out", "fetched"), wrong_digit, start),
    ):
        done = journey.project.run(*verb, reference)
        assert done.returncode == 1 and "error[bundle-unusable]" in done.stderr
        asked = re.findall(r"^Did you mean '(.*)'\?$", done.stderr, re.MULTILINE)
        assert asked == ([near] if near else []), done.stderr
