"""Marks on the dashboard: one datum for each release and rollback that succeeded."""

from __future__ import annotations

from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

from pipeline import console
from pipeline.aws import Aws
from pipeline.config import Environment
from pipeline.errors import describe
from pipeline.config import SERVICE


def put(account: Aws, environment: Environment, kind: Literal["deploy", "rollback"]) -> None:
    """Mark the dashboard; where that fails, say so: the release is done and recorded."""
    dimensions = {"Environment": environment.name, "Kind": kind}
    try:
        account.cloudwatch.put_metric_data(
            Namespace=SERVICE,
            MetricData=[
                {
                    "MetricName": "Releases",
                    "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions.items()],
                    "Value": 1,
                    "Unit": "Count",
                }
            ],
        )
    except (ClientError, BotoCoreError) as error:
        console.say(f"the dashboard has no mark of this {kind}: {describe(error)}", "yellow")
