"""From source to a running function, replaced and rolled back, with the real parts."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support import http, terminal
from tests.support import release_page
from tests.support.service import Service
from scratch.project import Result
from tests.support.terminal import Terminal

pytestmark = pytest.mark.integration

# The first calls of the pipeline succeed; most of those with which it compares the canary fail.
# Callers get what live answers.
_WORSE = """

_inner, _own = lambda_handler, []


def lambda_handler(event, context):
    if event["headers"].get("user-agent") == "pipeline":
        _own.append(1)
        assert len(_own) <= 10
    return _inner(event, context)
"""
# Enough calls, on a slow machine, too; each costs CPU time.
_PAUSE_S = 0.3


@dataclass(frozen=True)
class Journey:
    """What was seen on the way, with clients calling throughout.

    A first release; one whose layer is another; a canary that is worse, and is returned; a
    rollback to the first.
    """

    service: Service
    first_bundle: str
    second_bundle: str
    first: Result
    second: Terminal
    during_deploy: Counter[str]
    plan_after_deploy: int
    worse: Result
    live_after_worse: tuple[str, dict[str, float]]
    during_worse: Counter[str]
    layers: list[str]
    rollback: Result
    during_rollback: Counter[str]
    plan_after_rollback: int

    @property
    def settings(self) -> dict[str, str]:
        return self.service.project.environment


@pytest.fixture(scope="module")
def journey(
    quick_cloud: dict[str, str], built_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Journey:
    folder = tmp_path_factory.mktemp("journey") / "project"
    service = Service.copy_to(folder, quick_cloud, built_bundle)
    url = quick_cloud["API_URL"]
    service.project.folder.joinpath("terraform/environments/local/rollout.toml").write_text(
        "percents = [10, 100]\nwatch_s = 2\nleast_calls = 40\nalarms = []\n"
    )
    first_bundle = service.build("build")
    first = service.run("deploy", "--reason", "the first")
    layers = [_layer(service)]

    service.drop_dnspython()
    second_bundle = service.build("build")
    with http.calling(url, _PAUSE_S) as during_deploy:
        second = ("deploy", "--environment", "local", "--reason", "the second")
        with terminal.at(service.project, *second) as seen:
            pass
        assert seen.process.returncode == 0, seen.text
    plan_after_deploy = _terraform_plan(service, second_bundle)
    layers.append(_layer(service))

    service.build("build", _WORSE)
    with http.calling(url, _PAUSE_S) as during_worse:
        worse = service.run("deploy", "--reason", "the third")
        live_after_worse = service.live()
    with http.calling(url, _PAUSE_S) as during_rollback:
        rollback = service.run("rollback", "--reason", "the second was bad")
    layers.append(_layer(service))
    return Journey(
        service=service,
        first_bundle=first_bundle,
        second_bundle=second_bundle,
        first=first,
        second=seen,
        during_deploy=during_deploy,
        plan_after_deploy=plan_after_deploy,
        worse=worse,
        live_after_worse=live_after_worse,
        during_worse=during_worse,
        layers=layers,
        rollback=rollback,
        during_rollback=during_rollback,
        plan_after_rollback=_terraform_plan(service, first_bundle),
    )


def _layer(service: Service) -> str:
    """Return the layer version of the version that serves."""
    [layer] = service.configuration()["Layers"]
    return str(layer["Arn"])


def _terraform_plan(service: Service, bundle_id: str) -> int:
    """Run `terraform plan -detailed-exitcode` itself, with the bundle's variables."""
    project = service.project
    variables = Path(project.folder, "bundle.tfvars.json")
    code = (
        "import json; from pipeline import aws; from pipeline.bundle import store; "
        "from pipeline.terraform import runner; account = aws.connect(); "
        f"manifest = store.load(account, '{bundle_id}').manifest; "
        "print(json.dumps(runner.bundle_variables(account, manifest)))"
    )
    environment = project.process_environment()
    done = subprocess.run(
        [project.command()[0], "-c", code],
        cwd=project.folder,
        env=environment,
        capture_output=True,
        check=True,
    )
    variables.write_bytes(done.stdout)
    return subprocess.run(
        [
            *("terraform", "-chdir=terraform", "plan", "-input=false", "-detailed-exitcode"),
            *("-var-file=environments/local/terraform.tfvars", f"-var-file={variables}"),
        ],
        cwd=project.folder,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
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


def test_a_terminal_shows_how_far_a_deployment_is(journey: Journey) -> None:
    """Bytes that were sent, resources as Terraform counts them, what the canary's calls came to."""
    text = journey.second.text
    # Of the layer, which is replaced, and of the function.
    assert "1 of 2 resources  aws_lambda_function.service" in text
    assert "2 of 2 resources" in text
    assert re.search(r"([\d,]+) of \1 bytes +pymongo-layer.zip", text)
    assert re.search(r"10 % .* s left +v2: \d+ calls, 0 failed; v1: [1-9]", text)
    assert re.search(r"calls .* v2: (\d+) calls, 0 failed; v1: \1 calls", text)


def test_what_stays_on_a_terminal_is_what_a_log_has(journey: Journey) -> None:
    """Bars are gone when their step is, and a log has never had any."""
    log = journey.first.stderr + journey.rollback.stderr
    assert "\x1b" not in log + journey.first.stdout and "resources" not in log
    stayed = journey.second.screen
    assert not any("━" in line or "resources" in line for line in stayed)
    assert any("Modifications complete" in line for line in stayed)
    before_the_table = stayed[: stayed.index(next(each for each in stayed if "phase " in each))]
    steps = [line.split()[0] for line in before_the_table if re.match("[a-z]+ +[a-z]", line)]
    assert steps == ["inspect", "store", "plan", "apply", "smoke", "switch", "call"]
    assert journey.second.shows_its_cursor


def test_terraform_agrees_after_a_deployment(journey: Journey) -> None:
    assert journey.plan_after_deploy == 0


def test_terraform_agrees_after_a_rollback(journey: Journey) -> None:
    assert journey.rollback.returncode == 0, journey.rollback.stderr
    assert journey.plan_after_rollback == 0


def test_a_rollback_restores_the_layer(journey: Journey) -> None:
    first, second, after_rollback = journey.layers
    assert first == after_rollback != second
    assert journey.service.live() == ("1", {})


def test_a_worse_canary_is_returned(journey: Journey) -> None:
    """The error names the figure; live is as before."""
    assert journey.worse.returncode == 1 and "error[canary-failed]" in journey.worse.stderr
    assert "v3 is worse than v2" in journey.worse.stderr
    assert "errors" in journey.worse.stderr
    assert journey.live_after_worse == ("2", {})


def test_no_request_fails_during_a_deployment(journey: Journey) -> None:
    """A client that calls throughout is answered by the old version, then by the new."""
    assert set(journey.during_deploy) == {"1", "2"}


def test_no_request_fails_while_a_canary_is_returned(journey: Journey) -> None:
    """A client that calls throughout is answered by live, or by the canary in between."""
    assert "2" in journey.during_worse and set(journey.during_worse) <= {"2", "3"}


def test_no_request_fails_during_a_rollback(journey: Journey) -> None:
    """A client that calls throughout is answered by the bad version, then by the restored one."""
    assert set(journey.during_rollback) == {"2", "1"}


def test_the_ledger_has_what_happened_newest_first(journey: Journey) -> None:
    releases = journey.service.releases()
    assert [
        (
            release["release"],
            release["kind"],
            release["outcome"],
            release["version"],
            release["reason"],
        )
        for release in releases
    ] == [
        (4, "rollback", "succeeded", "1", "the second was bad"),
        (3, "deploy", "failed", "3", "the third"),
        (2, "deploy", "succeeded", "2", "the second"),
        (1, "deploy", "succeeded", "1", "the first"),
    ]
    rollback, worse, second, first = releases
    assert rollback["bundle"] == first["bundle"] == journey.first_bundle
    assert second["bundle"] == journey.second_bundle and "errors" in worse["error"]
    for release in releases:
        assert release["actor"] and release["time"] <= release["ended"] and release["plan_sha256"]
        assert "commit" in release
    phases = [phase["name"] for phase in second["phases"]]
    assert phases == [
        "inspect",
        "store",
        "plan",
        "apply",
        "smoke",
        "10 %",
        "100 %",
        "switch",
        "call",
    ]
    restored = [phase["name"] for phase in rollback["phases"]]
    assert restored == ["preflight", "switch", "check", "plan", "apply", "call"]


def test_the_dashboard_is_marked_with_releases_and_rollbacks(journey: Journey) -> None:
    """Two deployments and a rollback; a deployment that failed leaves no mark."""
    now = datetime.now(UTC)
    marks = {}
    for kind in ("deploy", "rollback"):
        found = journey.service.client("cloudwatch").get_metric_statistics(
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
    table = journey.service.must("releases")
    assert "rollback to #1" in table and journey.second_bundle[:12] in table


def test_a_rolled_back_bundle_is_in_quarantine(journey: Journey) -> None:
    """Deploying it again is refused, with who rolled it back and why; nothing changes."""
    live = journey.service.live()
    done = journey.service.run("deploy", "--bundle", journey.second_bundle[:12])
    assert done.returncode == 1
    assert "error[bundle-quarantined]" in done.stderr and "the second was bad" in done.stderr
    assert journey.service.live() == live


def test_the_release_page_has_the_journey(journey: Journey, tmp_path: Path) -> None:
    """With the figures of each release's calls, as the function's log has them."""
    journey.service.must("page", "--out", str(tmp_path))
    data = release_page.read(tmp_path / "index.html")
    assert [(each["kind"], each["outcome"]) for each in data["releases"]] == [
        ("rollback", "succeeded"),
        ("deploy", "failed"),
        ("deploy", "succeeded"),
        ("deploy", "succeeded"),
    ]
    assert (data["shares"][0]["version"], data["serving"], data["wayBack"]) == ("1", 4, None)
    assert data["noWayBack"] == "#1 is the first release that succeeded."
    fourth, third, second, first = data["releases"]
    assert data["bundles"][first["bundle"]]["id"] == journey.first_bundle
    assert "the second was bad" in data["bundles"][second["bundle"]]["quarantined"]
    for release in (fourth, second, first):
        assert release["figures"]["calls"] > 0 and release["figures"]["errors"] == 0
    assert third["figures"]["errors"] > 0
    assert first["figures"]["init"] > 0 and second["figures"]["init"] > 0
