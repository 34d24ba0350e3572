"""Marks on the dashboard: one datum for each release and rollback that succeeded."""

from __future__ import annotations

import logging
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.errors import describe
from pipeline.config import SERVICE
from pipeline.target import Target

log = logging.getLogger(__name__)


def put(target: Target, kind: Literal["deploy", "rollback"]) -> None:
    """Mark the dashboard; where that fails, say so: the release is done and recorded."""
    dimensions = {"Environment": target.name, "Kind": kind}
    try:
        target.aws.cloudwatch.put_metric_data(
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
        log.warning(f"the dashboard has no marker of this {kind}: {describe(error)}")
