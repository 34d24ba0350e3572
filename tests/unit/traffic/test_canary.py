"""The canary: which calls it makes and counts, and what closes the gate, with a fake of AWS."""

from __future__ import annotations

import json
import logging
import base64
import io
import re
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from pipeline.traffic import canary
from pipeline.aws import Aws
from pipeline.traffic.canary import Canary
from pipeline.config import Environment, Rollout
from pipeline.errors import CanaryFailedError, UsageError
from pipeline.timeline import Timeline
from pipeline.traffic.alias import AliasSwitch
from pipeline.target import DeployedFunction, Target

OLD, NEW = "1", "2"
ENVIRONMENT = Environment("local")


def _call(
    number: int,
    version: str,
    *,
    status: int = 200,
    ms: float = 20,
    memory_mb: int = 80,
    init_ms: float | None = None,
    end: str = "",
) -> str:
    """Return a call's lines as the function's log has them."""
    init = f"Init Duration: {init_ms} ms\t" if init_ms else ""
    return (
        f"START RequestId: {version}-{number} Version: {version}\n"
        f'{{"requestId": "{version}-{number}", "status": {status}}}\n'
        f"END RequestId: {version}-{number}\n"
        f"REPORT RequestId: {version}-{number}\tDuration: {ms} ms\tMemory Size: 256 MB\t"
        f"Max Memory Used: {memory_mb} MB\t{init}{end}\n"
    )


@dataclass
class _Answer:
    """What Lambda gives for a call that the pipeline makes."""

    status: int = 200
    error: str = ""
    ms: float = 20
    memory_mb: int = 80
    init_ms: float | None = None
    reported: bool = True
    body: str = "{}"

    def to_response(self, number: int, version: str) -> dict[str, Any]:
        log = _call(
            number,
            version,
            status=self.status,
            ms=self.ms,
            memory_mb=self.memory_mb,
            init_ms=self.init_ms,
            end=f"Status: error\tError Type: {self.error}" if self.error else "",
        )
        if not self.reported:
            log = log.partition("END")[0]
        payload = json.dumps({"statusCode": self.status, "body": self.body})
        if self.error:
            payload = f'{{"errorType": "{self.error}", "errorMessage": "killed"}}'
        return {
            "Payload": io.BytesIO(payload.encode()),
            "LogResult": base64.b64encode(log.encode()).decode(),
            "ResponseMetadata": {"RequestId": f"{version}-{number}"},
        } | ({"FunctionError": "Unhandled"} if self.error else {})


@dataclass(eq=False)
class _Cloud:
    """As much of Lambda, CloudWatch, CloudWatch Logs and SSM as a canary uses.

    `callers` are the lines that callers' calls write between two reads of the log.
    """

    answers: Callable[[int, str], _Answer] = lambda number, version: _Answer()
    callers: list[str] = field(default_factory=list)
    throttles: dict[str, int] = field(default_factory=dict)
    alarms: dict[str, str] = field(default_factory=dict)
    fires_at_a_move: str = ""
    key: str | None = None
    alias: dict[str, Any] = field(
        default_factory=lambda: {"FunctionVersion": OLD, "RevisionId": "0", "RoutingConfig": {}}
    )
    routes: list[tuple[str, dict[str, float]]] = field(default_factory=list)
    called: list[str] = field(default_factory=list)
    paths: Counter[str] = field(default_factory=Counter)
    reads: int = 0

    def account(self) -> Aws:
        return cast(
            Aws, SimpleNamespace(functions=self, cloudwatch=self, logs=self, parameters=self)
        )

    def get_alias(self, **_: str) -> dict[str, Any]:
        return dict(self.alias)

    def update_alias(self, **to: Any) -> dict[str, Any]:
        self.alias = to
        self.routes.append((to["FunctionVersion"], to["RoutingConfig"]["AdditionalVersionWeights"]))
        if self.fires_at_a_move:
            self.alarms[self.fires_at_a_move] = "ALARM"
        return dict(to)

    def get_function_configuration(self, **_: str) -> dict[str, Any]:
        return {}

    def invoke(self, **to: Any) -> dict[str, Any]:
        version = to["Qualifier"]
        self.called.append(version)
        self.paths[to["Payload"].decode().partition('"rawPath": "')[2].partition('"')[0]] += 1
        number = self.called.count(version)
        return self.answers(number, version).to_response(number, version)

    def get_parameter(self, **_: Any) -> dict[str, Any]:
        if self.key is None:
            raise ClientError({"Error": {"Code": "ParameterNotFound"}}, "GetParameter")
        return {"Parameter": {"Value": self.key}}

    def get_paginator(self, name: str) -> Any:
        pages = {"filter_log_events": self._read_log, "describe_alarms": self._describe_alarms}
        return SimpleNamespace(paginate=pages[name])

    def _read_log(self, **_: Any) -> list[dict[str, Any]]:
        self.reads += 1
        events = [
            {"eventId": line, "logStreamName": "a", "timestamp": 0, "message": line}
            for call in self.callers
            for line in call.splitlines()
        ]
        return [{"events": events}]

    def get_metric_statistics(self, **of: Any) -> dict[str, Any]:
        version = {dimension["Name"]: dimension["Value"] for dimension in of["Dimensions"]}[
            "ExecutedVersion"
        ]
        return {"Datapoints": [{"Sum": float(self.throttles.get(version, 0))}]}

    def _describe_alarms(self, **of: Any) -> list[dict[str, Any]]:
        wanted = [name for name in of.get("AlarmNames", ()) if name in self.alarms]
        found = [{"AlarmName": name, "StateValue": self.alarms[name]} for name in wanted]
        return [{"MetricAlarms": found[:1]}, {"MetricAlarms": found[1:]}]


def _release(
    cloud: _Cloud, *, percents: tuple[float, ...] = (10, 100), least_calls: int = 60
) -> Timeline:
    """Release a new version in `percents`, with every alarm of the cloud watched."""
    timeline = Timeline()
    account = cloud.account()
    steps = Rollout(percents, 0, least_calls, tuple(cloud.alarms), None)
    watched = Canary(Target(account, ENVIRONMENT), steps, timeline)
    watched.roll_out(
        AliasSwitch(DeployedFunction(account.functions, ENVIRONMENT.function_name)), NEW
    )
    return timeline


@pytest.mark.parametrize("both", [True, False])
def test_a_database_that_is_down_for_both_versions_is_named(
    caplog: pytest.LogCaptureFixture, both: bool
) -> None:
    """Then neither is worse, and no release is to blame."""
    down = _Answer(status=503, body='{"status": "unavailable", "database": "unavailable"}')
    down_for = (OLD, NEW) if both else (NEW,)
    cloud = _Cloud(answers=lambda _, version: down if version in down_for else _Answer())
    with nullcontext() if both else pytest.raises(CanaryFailedError):
        _release(cloud, percents=(100,))
    named = f"the database is unavailable for v{NEW}, and for v{OLD} as well"
    assert (named in caplog.text) is both


def _callers(old: int, new: int, status: int = 200) -> list[str]:
    """Return the log of callers' calls, of which the new version's were answered with `status`."""
    lines = [_call(number, OLD) for number in range(old)]
    return lines + [_call(number, NEW, status=status) for number in range(new)]


def _new(worse: _Answer, every: int = 1) -> Callable[[int, str], _Answer]:
    """Let each call of the new version, or one in `every`, be answered worse."""
    return lambda number, version: (worse if version == NEW and number % every == 0 else _Answer())


def test_traffic_moves_in_the_steps_and_each_is_a_phase() -> None:
    cloud = _Cloud(callers=_callers(60, 60))
    timeline = _release(cloud, percents=(10, 50, 100))
    assert cloud.routes == [(OLD, {NEW: 0.1}), (OLD, {NEW: 0.5}), (NEW, {})]
    assert [phase.name for phase in timeline.phases] == ["10 %", "50 %", "100 %"]
    assert cloud.reads >= 2 * 3  # several looks at each step


def test_each_step_leaves_a_line_with_what_was_compared(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of the callers' calls at one step, of the pipeline's own where those are too few."""
    caplog.set_level(logging.INFO)
    for callers, count in ((_callers(70, 65), (65, 70)), ([], (60, 60))):
        _release(_Cloud(callers=callers), percents=(10, 100))
        figures = "0 failed, p95 20 ms, memory 80 MB"
        line = f"canary {count[0]} calls, {figures}; live {count[1]} calls, {figures}"
        output = "\n".join(caplog.messages)
        caplog.clear()
        assert f"10 %: {line}" in output and f"100 %: {line}" in output
        assert output.endswith(f"v{NEW} takes over: it is not worse than v{OLD}")


def test_callers_that_are_enough_leave_nothing_to_call() -> None:
    cloud = _Cloud(callers=_callers(60, 60))
    _release(cloud)
    assert cloud.called == []


@pytest.mark.parametrize("callers", [(0, 0), (59, 500), (500, 59)])
def test_where_either_version_has_too_few_callers_both_are_called_in_turn(
    callers: tuple[int, int],
) -> None:
    """As often as `least_calls` says, at each step."""
    cloud = _Cloud(callers=_callers(*callers))
    _release(cloud)
    assert cloud.called == [NEW, OLD] * 60 * 2
    assert set(cloud.paths) == {"/api/health"}


def test_with_a_key_the_functions_own_calls_alternate_with_health() -> None:
    cloud = _Cloud(key="secret")
    _release(cloud, percents=(100,), least_calls=10)
    assert cloud.paths.pop("/api/health") == 10 and cloud.paths.total() == 10


def test_our_own_calls_end_when_they_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that hangs does not hold up the release that replaces it."""
    monkeypatch.setattr(canary, "OWN_CALLS_S", -1)
    cloud = _Cloud()
    _release(cloud)
    assert cloud.called == [] and cloud.routes[-1] == (NEW, {})


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (_new(_Answer(status=503), every=4), "errors 25 %, live 0 %"),
        (_new(_Answer(error="KeyError"), every=4), "errors 25 %, live 0 %"),
        (_new(_Answer(error="Runtime.ExitError"), every=4), "errors 25 %, live 0 %"),
        (_new(_Answer(status=404), every=4), "errors 25 %, live 0 %"),
        (_new(_Answer(reported=False, error="Timeout"), every=4), "errors 25 %, live 0 %"),
        (_new(_Answer(ms=40)), "duration p50 40 ms, live 20 ms"),
        (_new(_Answer(memory_mb=160)), "memory p50 160 MB, live 80 MB"),
        (
            lambda number, version: _Answer(init_ms=600 if version == NEW else 200),
            "init duration p50 600 ms, live 200 ms",
        ),
    ],
    ids=["503", "exception", "killed", "not 200", "cut off", "slow", "memory", "slow start"],
)
def test_a_worse_canary_is_seen_by_our_own_calls(
    answers: Callable[[int, str], _Answer], reason: str
) -> None:
    """At the first step: no more traffic goes to it."""
    cloud = _Cloud(answers=answers)
    with pytest.raises(CanaryFailedError, match="60 and 60 calls compared") as closed:
        _release(cloud)
    assert reason in closed.value.message and closed.value.message.count("live") == 1
    assert f"--version {NEW}" in closed.value.command
    assert cloud.routes == [(OLD, {NEW: 0.1})]


def test_what_both_versions_do_closes_nothing() -> None:
    cloud = _Cloud(answers=lambda number, version: _Answer(status=503 if number % 4 else 200))
    _release(cloud)
    assert cloud.routes[-1] == (NEW, {})


def test_what_callers_get_closes_the_gate_while_it_is_watched() -> None:
    """At the first look: the step does not last to its end, and no call of our own is made."""
    cloud = _Cloud(callers=_callers(100, 15, status=503))
    with pytest.raises(CanaryFailedError, match="errors 100 %, live 0 %"):
        _release(cloud)
    assert cloud.reads == 1 and cloud.called == []


def _without_answers(lines: list[str]) -> list[str]:
    """Return callers' calls without the lines that hold their HTTP status."""
    return [re.sub(r"^{.*\n", "", line, flags=re.MULTILINE) for line in lines]


def test_calls_of_unknown_outcome_close_the_gate_if_lives_are_known() -> None:
    """Such as those of a version that answers 500 without a line in the log that can be read."""
    live, new = _callers(100, 0), _without_answers(_callers(0, 60))
    cloud = _Cloud(callers=[*live, *new])
    with pytest.raises(CanaryFailedError, match="unknown 100 %, live 0 %"):
        _release(cloud)
    assert cloud.routes == [(OLD, {NEW: 0.1})]


def test_where_both_versions_calls_are_unknown_our_own_calls_decide() -> None:
    callers = _without_answers(_callers(100, 100))
    cloud = _Cloud(callers=callers)
    _release(cloud)
    assert cloud.called == [NEW, OLD] * 60 * 2
    cloud = _Cloud(callers=callers, answers=_new(_Answer(status=500)))
    with pytest.raises(CanaryFailedError, match="errors 100 %, live 0 %"):
        _release(cloud)


def test_calls_that_are_throttled_close_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as CloudWatch has counted them: tests/unit/traffic/test_canary_senses.py."""
    minute = datetime.now(UTC)
    monkeypatch.setattr(canary, "_whole_minutes", lambda *_: (minute, minute))
    for throttles, closed in (({NEW: 40}, True), ({NEW: 40, OLD: 40}, False)):
        cloud = _Cloud(callers=_callers(100, 100), throttles=throttles)
        if closed:
            with pytest.raises(CanaryFailedError, match="throttles 28.6 %, live 0 %"):
                _release(cloud)
        else:
            _release(cloud)


def test_an_alarm_that_begins_to_fire_closes_the_gate() -> None:
    alarms = {"calm": "OK", "firing": "ALARM"}
    cloud = _Cloud(callers=_callers(60, 60), alarms=alarms, fires_at_a_move="calm")
    with pytest.raises(CanaryFailedError) as closed:
        _release(cloud)
    assert closed.value.message.endswith(": the alarm calm fires")


def test_an_alarm_that_fires_before_the_release_closes_nothing() -> None:
    """It says nothing about the canary, and the release may be its cure."""
    _release(_Cloud(callers=_callers(60, 60), alarms={"calm": "OK", "firing": "ALARM"}))


def test_an_alarm_that_does_not_exist_is_refused_before_traffic_moves() -> None:
    steps = Rollout((100,), 0, 1, ("nobody", "calm"), None)
    cloud = _Cloud(alarms={"calm": "OK"})
    with pytest.raises(UsageError, match="no such metric alarm: nobody$") as refused:
        Canary(Target(cloud.account(), ENVIRONMENT), steps, Timeline())
    assert "rollout.toml" in refused.value.hint
