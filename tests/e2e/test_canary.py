"""Canaries that are worse than live are returned, each for its own reason; a good one passes."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import http
from scratch.project import Project, Result

pytestmark = pytest.mark.extended

ENVIRONMENT = ("--environment", "local")
FUNCTION = "mongo-client-local"

_WRAPPED = """

import time as _time

_inner, _calls, _kept = lambda_handler, [], []


def lambda_handler(event, context):
    _calls.append(1)
    {before}
    return _inner(event, context)
"""


def _steps(project: Project, watch_s: float, least_calls: int, alarms: list[str]) -> None:
    project.folder.joinpath("terraform/environments/local/release.toml").write_text(
        f"percents = [10, 100]\nwatch_s = {watch_s}\nleast_calls = {least_calls}\n"
        f"alarms = {json.dumps(alarms)}\n"
    )


@dataclass
class Service:
    """A released service that takes 20 ms for each call, and its source."""

    project: Project
    good: str

    def deploy(self, before: str, *options: str) -> Result:
        """Deploy a handler that does `before` each time, before it does what live does."""
        handler = self.good.replace("_time.sleep(0.02)", before)
        self.project.handler.write_text(handler)
        self.project.must("build")
        return self.project.run("deploy", *ENVIRONMENT, *options)

    def live(self) -> tuple[str, dict[str, float]]:
        alias = self.project.client("lambda").get_alias(FunctionName=FUNCTION, Name="live")
        routing = alias.get("RoutingConfig") or {}
        return alias["FunctionVersion"], routing.get("AdditionalVersionWeights") or {}

    def newest(self) -> dict[str, Any]:
        [found] = json.loads(self.project.must("releases", *ENVIRONMENT, "--limit", "1", "--json"))
        return dict(found)


@pytest.fixture(scope="module")
def service(quick_cloud: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Service:
    project = Project.copy_to(tmp_path_factory.mktemp("canary") / "project", quick_cloud)
    good = project.handler.read_text() + _WRAPPED.format(before="_time.sleep(0.02)")
    service = Service(project, good)
    done = service.deploy("_time.sleep(0.02)")
    assert done.returncode == 0, done.stderr
    return service


@pytest.mark.parametrize(
    ("before", "least_calls", "reason"),
    [
        ("assert len(_calls) % 20 != 19", 300, "errors"),
        ("_time.sleep(0.04)", 60, "duration p50"),
        ("_kept.append(b'x' * 2_000_000)", 60, "memory p50"),
        ("_kept.append(b'x' * 45_000_000)", 120, "errors"),
    ],
    ids=["errs on 5 % of its calls", "twice as slow", "leaks memory", "leaks until it is killed"],
)
def test_a_worse_canary_is_returned(
    service: Service, before: str, least_calls: int, reason: str
) -> None:
    """In a quiet hour: nobody calls, so the pipeline does. Live is as before, and it says why."""
    _steps(service.project, 0.5, least_calls, [])
    live = service.live()
    done = service.deploy(before)
    assert done.returncode == 1 and "error[gate-closed]" in done.stderr, done.stderr
    assert reason in done.stderr
    assert service.live() == live
    newest = service.newest()
    assert newest["outcome"] == "failed" and reason in newest["error"]


def test_a_version_that_does_not_start_gets_no_traffic(service: Service) -> None:
    live = service.live()
    done = service.deploy("pass\n\n\nraise RuntimeError('no start')\n\n\ndef unused():\n    pass")
    assert done.returncode == 1 and "error[check-failed]" in done.stderr, done.stderr
    assert "no start" in done.stderr and service.live() == live


@pytest.mark.parametrize(
    ("doing", "callers_get"),
    [
        (
            'print(\'{"status": 503, "functionVersion": ""}\')\n'
            "        return {'statusCode': 503, 'body': '{}'}",
            "503",
        ),
        ("raise KeyError('only for callers')", "500"),
    ],
)
def test_what_callers_get_closes_the_gate_while_it_is_watched(
    service: Service, doing: str, callers_get: str
) -> None:
    """Callers are enough to tell, so the step does not last to its end, nor does it call itself."""
    _steps(service.project, 60, 10, [])
    live = service.live()
    with http.calling(service.project.environment["API_URL"]) as answers:
        done = service.deploy(
            f"if event['headers'].get('user-agent') != 'pipeline':\n        {doing}"
        )
    assert done.returncode == 1 and "errors" in done.stderr, done.stderr
    assert "calls of our own" not in done.stderr
    assert service.live() == live
    assert answers[f"failed: {callers_get}"] > 0


def test_only_an_alarm_that_begins_to_fire_closes_the_gate(service: Service) -> None:
    """One that fires already tells nothing about the canary, or its cure could not be deployed."""
    cloudwatch = service.project.client("cloudwatch")
    for name in ("firing", "calm"):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="Tests",
            MetricName=name,
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
    cloudwatch.set_alarm_state(AlarmName="firing", StateValue="ALARM", StateReason="before")
    cloudwatch.set_alarm_state(AlarmName="calm", StateValue="OK", StateReason="before")
    _steps(service.project, 1, 5, ["firing", "calm"])
    done = service.deploy("_time.sleep(0.0201)")
    assert done.returncode == 0, done.stderr
    assert [phase["name"] for phase in service.newest()["phases"]][-3:] == [
        "10 %",
        "100 %",
        "switch",
    ]

    _steps(service.project, 60, 5, ["firing", "calm"])
    live = service.live()
    with ThreadPoolExecutor() as pool:
        deployed = pool.submit(service.deploy, "_time.sleep(0.0204)")
        while service.live() == live and not deployed.done():
            time.sleep(0.05)
        cloudwatch.set_alarm_state(AlarmName="calm", StateValue="ALARM", StateReason="now")
        done = deployed.result()
    assert done.returncode == 1 and "the alarm calm fires" in done.stderr, done.stderr
    assert "firing fires" not in done.stderr and service.live() == live

    _steps(service.project, 1, 5, ["nobody"])
    done = service.deploy("_time.sleep(0.0202)")
    assert done.returncode == 2 and "there is no alarm nobody" in done.stderr


def test_a_healthy_canary_passes_under_noise(service: Service) -> None:
    """Its calls take as long as they take: 20 ms, and now and then ten times that."""
    _steps(service.project, 0.5, 100, [])
    done = service.deploy("_time.sleep(0.02 if len(_calls) % 17 else 0.2)", "--reason", "noisy")
    assert done.returncode == 0, done.stderr


def test_all_at_once_takes_no_canary(service: Service) -> None:
    _steps(service.project, 600, 1000, [])
    done = service.deploy("_time.sleep(0.0203)", "--all-at-once")
    assert done.returncode == 0, done.stderr
    names = [phase["name"] for phase in service.newest()["phases"]]
    assert names == ["inspect", "store", "plan", "apply", "smoke", "switch"]


def test_steps_that_make_no_sense_are_refused_before_anything_is_done(service: Service) -> None:
    path = Path(service.project.folder, "terraform/environments/local/release.toml")
    for text in ("percents = [10]", "percents = [50, 10, 100]", "what = 1", "percents ="):
        path.write_text(f"{text}\nwatch_s = 1\nleast_calls = 1\nalarms = []\n")
        done = service.project.run("deploy", *ENVIRONMENT)
        assert done.returncode == 2 and "release.toml" in done.stderr, done.stderr
