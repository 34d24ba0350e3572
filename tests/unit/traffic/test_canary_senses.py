"""What the canary analysis reads in addition to calls: whole minutes of throttles, and alarms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.traffic import canary
from pipeline.traffic.canary import Canary
from pipeline.config import Environment, Rollout
from pipeline.errors import UsageError
from pipeline.timeline import Timeline
from pipeline.target import Target

_NOON = 1_800_000_000  # a whole minute
_STEPS = Rollout((10, 100), 300, 500, (), None)


@pytest.mark.parametrize(
    ("since", "now", "minutes"),
    [
        (0, 30, None),  # staging's step
        (0, 119, None),  # the first minute is over, and not counted yet
        (0, 120, (0, 60)),
        (5, 200, (60, 120)),  # the first minute began before the step
        (5, 305, (60, 240)),
    ],
)
def test_only_whole_minutes_of_the_step_that_are_counted_tell_of_throttles(
    since: float, now: float, minutes: tuple[float, float] | None
) -> None:
    found = canary._whole_minutes(_NOON + since, _NOON + now)
    if minutes is None:
        assert found is None
    else:
        assert found and tuple(each.timestamp() - _NOON for each in found) == minutes


class _CloudWatch:
    def __init__(self, **states: str) -> None:
        self.states = {name.replace("_", "-"): state for name, state in states.items()}

    def get_paginator(self, name: str) -> Any:
        assert name == "describe_alarms"
        return SimpleNamespace(paginate=self._paginate)

    def _paginate(
        self, AlarmTypes: list[str], AlarmNamePrefix: str = "", AlarmNames: list[str] | None = None
    ) -> Iterator[Any]:
        assert AlarmTypes == ["MetricAlarm"]
        for name, state in self.states.items():
            if name in AlarmNames if AlarmNames else name.startswith(AlarmNamePrefix):
                yield {"MetricAlarms": [{"AlarmName": name, "StateValue": state}]}


def _canary(cloudwatch: _CloudWatch, *alarms: str) -> Canary:
    account: Any = SimpleNamespace(cloudwatch=cloudwatch, functions=None)
    steps = replace(_STEPS, alarms=alarms)
    return Canary(Target(account, Environment("staging")), steps, Timeline())


def test_the_stacks_own_alarms_take_part_once_they_exist() -> None:
    cloudwatch = _CloudWatch()
    watching = _canary(cloudwatch)
    assert watching._alarms() == set()
    cloudwatch.states |= {"mongo-client-staging-errors": "ALARM", "of-another-service": "ALARM"}
    assert watching._alarms() == {"mongo-client-staging-errors"}


def test_alarms_that_are_named_take_part_too() -> None:
    watching = _canary(
        _CloudWatch(shop_orders="ALARM", shop_stock="OK"), "shop-orders", "shop-stock"
    )
    assert watching._alarms() == {"shop-orders"}


def test_one_that_is_missing_or_composite_is_refused_before_anything_is_done() -> None:
    with pytest.raises(UsageError, match="no such metric alarm: all-of-them") as refused:
        _canary(_CloudWatch(shop_orders="OK"), "shop-orders", "all-of-them")
    assert "of a composite alarm" in refused.value.hint
