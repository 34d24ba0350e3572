"""Metric alarms: which of them fire."""

from __future__ import annotations

from typing import Any

from pipeline.aws import Aws
from pipeline.target import Target


def of_stack(target: Target) -> dict[str, str]:
    """Return the states of the stack's own alarms (OK, ALARM, INSUFFICIENT_DATA), by name."""
    return states(target.aws, AlarmNamePrefix=f"{target.function.name}-")


def states(account: Aws, **which: Any) -> dict[str, str]:
    """Return the states of the metric alarms that DescribeAlarms finds with `which`, by name."""
    pages = account.cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmTypes=["MetricAlarm"], **which
    )
    return {
        alarm["AlarmName"]: alarm["StateValue"] for page in pages for alarm in page["MetricAlarms"]
    }
