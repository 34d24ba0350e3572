"""Canaries that are worse than live are returned; a good one passes.

The figures of real calls, of the pipeline and of callers, reach the gate; so does a real alarm. The
gate's decisions are in tests/unit/traffic/test_canary.py and test_analysis.py.
"""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.config import Environment
from pipeline.release.ledger import Ledger, Release
from pipeline.target import Target
from tests.support import http, release_page
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
    project.folder.joinpath("terraform/environments/local/rollout.toml").write_text(
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

    def newest(self) -> Release:
        """Return the newest release of the ledger."""
        release = Ledger(Target(self.project.account(), Environment("local"))).newest()
        assert release
        return release

    def phases(self) -> list[str]:
        """Return the names of the newest release's phases."""
        return [phase.name for phase in self.newest().phases]


@pytest.fixture(scope="module")
def service(
    quick_cloud: dict[str, str], built_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Service:
    project = Project.copy_to(tmp_path_factory.mktemp("canary") / "project", quick_cloud)
    shutil.copytree(built_bundle, project.folder / "build")  # its layer is not made again
    good = project.handler.read_text() + _WRAPPED.format(before="_time.sleep(0.02)")
    service = Service(project, good)
    done = service.deploy("_time.sleep(0.02)")
    assert done.returncode == 0, done.stderr
    return service


def test_a_worse_canary_is_returned(service: Service) -> None:
    """Nobody else calls, so the pipeline calls both versions: their errors, times and memory count.

    What each of these figures does alone is in tests/unit/traffic/test_canary.py. The first dozen
    calls do not fail: they are those that a version must answer before it gets any traffic.
    """
    _steps(service.project, 0.5, 60, [])
    live = service.live()
    done = service.deploy("""_kept.append(b'x' * 2_000_000)
    _time.sleep(0.04)
    assert len(_calls) < 12 or len(_calls) % 3""")
    assert done.returncode == 1 and "error[canary-failed]" in done.stderr, done.stderr
    assert "few callers: 60 calls of our own to each" in done.stderr
    newest = service.newest()
    assert newest.outcome == "failed"
    for reason in ("errors ", "duration p50", "memory p50"):
        assert reason in done.stderr and reason in str(newest.error), done.stderr
    assert service.live() == live


def test_a_version_that_does_not_start_gets_no_traffic(service: Service) -> None:
    live = service.live()
    done = service.deploy("pass\n\n\nraise RuntimeError('no start')\n\n\ndef unused():\n    pass")
    assert done.returncode == 1 and "error[check-failed]" in done.stderr, done.stderr
    assert "no start" in done.stderr and service.live() == live


def test_what_callers_get_closes_the_gate_while_it_is_watched(service: Service) -> None:
    """The handler catches the exception, logs its traceback and answers 500; other calls get 503.

    The pipeline makes no call of its own, and the release page counts the same errors.
    """
    _steps(service.project, 30, 10, [])
    live = service.live()
    with http.calling(service.project.environment["API_URL"]) as answers:
        done = service.deploy("""globals().setdefault('_answer', answer_to)

    def _broken(request, context):
        raise KeyError('only for callers')

    is_own = event['headers'].get('user-agent') == 'pipeline'
    globals()['answer_to'] = _answer if is_own else _broken
    if not is_own and len(_calls) % 2:
        print('{"status": 503, "functionVersion": ""}')
        return {'statusCode': 503, 'body': '{}'}""")
    assert done.returncode == 1 and "errors 100 %, live 0 %" in done.stderr, done.stderr
    assert "calls of our own" not in done.stderr
    assert service.live() == live
    assert answers["failed: 503"] > 0 and answers["failed: 500"] > 0
    service.project.must("page", *ENVIRONMENT, "--out", "page")
    newest = release_page.read(service.project.folder / "page" / "index.html")["releases"][0]
    figures = newest["figures"]
    failed = answers["failed: 503"] + answers["failed: 500"]
    assert (
        newest["outcome"] == "failed" and figures["errors"] >= failed and not figures.get("unknown")
    )


def test_an_alarm_that_begins_to_fire_closes_the_gate(service: Service) -> None:
    """One that fires already closes nothing, or its cure could not be deployed."""
    cloudwatch = service.project.client("cloudwatch")
    for name, state in (("firing", "ALARM"), ("calm", "OK")):
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
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="before")
    _steps(service.project, 30, 5, ["firing", "calm"])
    live = service.live()
    with ThreadPoolExecutor() as pool:
        deployed = pool.submit(service.deploy, "_time.sleep(0.0204)")
        while service.live() == live and not deployed.done():
            time.sleep(0.05)
        cloudwatch.set_alarm_state(AlarmName="calm", StateValue="ALARM", StateReason="now")
        done = deployed.result()
    assert done.returncode == 1 and ": the alarm calm fires" in done.stderr, done.stderr
    assert "firing fires" not in done.stderr and service.live() == live


def test_an_alarm_that_does_not_exist_is_refused(service: Service) -> None:
    _steps(service.project, 1, 5, ["nobody"])
    done = service.project.run("deploy", *ENVIRONMENT)
    assert done.returncode == 2 and "no such metric alarm: nobody" in done.stderr


def test_a_healthy_canary_passes_under_noise(service: Service) -> None:
    """Its calls take as long as they take: 20 ms, and now and then ten times that."""
    _steps(service.project, 0.5, 60, [])
    done = service.deploy("_time.sleep(0.02 if len(_calls) % 17 else 0.2)", "--reason", "noisy")
    assert done.returncode == 0, done.stderr
    assert service.phases()[-4:] == ["10 %", "100 %", "switch", "call"]


def test_all_at_once_takes_no_canary(service: Service) -> None:
    _steps(service.project, 300, 1000, [])
    done = service.deploy("_time.sleep(0.0203)", "--all-at-once")
    assert done.returncode == 0, done.stderr
    assert service.phases() == ["inspect", "store", "plan", "apply", "smoke", "switch", "call"]
