"""What Lambda counts arrives by the minute, and late: what looks too early sees nothing of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.config import LIVE, Environment, Rollout
from pipeline.timeline import Timeline
from pipeline.traffic import canary
from pipeline.traffic.canary import Canary
from pipeline.target import Target
from tests.localcloud.aws import Aws

pytestmark = pytest.mark.integration

_LOCAL = Environment("local")
_EVERY_S = 10


@pytest.fixture
def late(aws: Aws) -> Iterator[None]:
    """Lambda's metrics arrive a minute after the minute that they are of."""
    aws.parameters.put_parameter(
        Name="/localcloud/metric-delay", Value="60", Type="String", Overwrite=True
    )
    yield
    aws.parameters.delete_parameters(Names=["/localcloud/metric-delay"])


def _throttle(aws: Aws, version: str, since_s: float, until_s: float) -> None:
    """Count a throttled call of a version every ten seconds."""
    name = _LOCAL.function_name
    dimensions = {"FunctionName": name, "Resource": f"{name}:{LIVE}", "ExecutedVersion": version}
    moments = range(int(since_s), int(until_s), _EVERY_S)
    aws.metrics.put_metric_data(
        Namespace="AWS/Lambda",
        MetricData=[
            {
                "MetricName": "Throttles",
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
                "Timestamp": datetime.fromtimestamp(moment, UTC),
                "Value": 1.0,
                "Unit": "Count",
            }
            for moment in moments
        ],
    )


@pytest.mark.parametrize("step_s", [30, 100, 170, 290])
def test_the_canary_judges_by_the_minutes_that_have_arrived(
    aws: Aws, late: None, monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    """All throttled calls that it looks for are there, in whichever second it looks.

    Were it to look until now, the last minutes would count as minutes without a throttled call.
    """
    now_s, version = time.time(), str(int(step_s))
    began_s = now_s - step_s
    _throttle(aws, version, began_s, now_s)
    monkeypatch.setattr(time, "time", lambda: now_s)
    account: Any = SimpleNamespace(cloudwatch=aws.metrics, functions=None)
    watching = Canary(Target(account, _LOCAL), Rollout((10, 100), step_s, 1, (), None), Timeline())

    minutes = canary._whole_minutes(began_s, now_s)
    expected = 0
    if minutes:
        since_s, until_s = (minute.timestamp() for minute in minutes)
        moments = range(int(began_s), int(now_s), _EVERY_S)
        expected = sum(since_s <= moment < until_s for moment in moments)
        assert expected >= 6
    assert watching._throttled(version, began_s) == expected

    monkeypatch.setattr(canary, "_whole_minutes", _until_now)
    assert watching._throttled(version, began_s) < step_s // _EVERY_S


def _until_now(since_s: float, now_s: float) -> tuple[datetime, datetime]:
    return datetime.fromtimestamp(since_s - 1, UTC), datetime.fromtimestamp(now_s + 1, UTC)


def test_what_the_pipeline_counts_itself_is_there_at_once(aws: Aws, late: None) -> None:
    now = datetime.now(UTC)
    aws.metrics.put_metric_data(
        Namespace="late-metrics", MetricData=[{"MetricName": "Releases", "Value": 1.0}]
    )
    found = aws.metrics.get_metric_statistics(
        Namespace="late-metrics",
        MetricName="Releases",
        Dimensions=[],
        StartTime=datetime.fromtimestamp(now.timestamp() - 60, UTC),
        EndTime=datetime.fromtimestamp(now.timestamp() + 60, UTC),
        Period=60,
        Statistics=["Sum"],
    )
    assert [point["Sum"] for point in found["Datapoints"]] == [1.0]
