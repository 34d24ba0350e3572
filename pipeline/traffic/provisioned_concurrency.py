"""Provisioned concurrency: what Lambda does to live's weights because of it, and what it refuses.

Lambda refuses weights on an alias that has provisioned concurrency. When such an alias is pointed
to another version, Lambda gives it weights of its own, until the new version has its environments:
hashicorp/terraform-provider-aws#48116 on GitHub, and "Managing Lambda provisioned concurrency" in
the developer guide. None of this has run on AWS yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.config import LIVE, Environment
from pipeline.errors import UsageError

_KIND = "aws_lambda_provisioned_concurrency_config"


def is_there(plan: Mapping[str, Any]) -> bool:
    """Say whether live has provisioned concurrency before a plan is applied."""
    return _has(plan, "before")


def is_planned(plan: Mapping[str, Any]) -> bool:
    """Say whether live has provisioned concurrency once a plan is applied."""
    return _has(plan, "after")


def refuse_steps(
    plan: Mapping[str, Any], environment: Environment, percents: tuple[float, ...]
) -> None:
    """Raise UsageError if live would get weights though it has provisioned concurrency."""
    if is_planned(plan) and percents != (100,):
        raise UsageError(
            f"{environment.name} has provisioned concurrency, and Lambda refuses weights on an "
            f"alias that has: {LIVE} cannot move in steps; nothing was applied",
            f"Write percents = [100] in {environment.steps_file}, deploy with --all-at-once, or "
            "unset provisioned_concurrency.",
        )


def _has(plan: Mapping[str, Any], moment: str) -> bool:
    return any(
        resource["type"] == _KIND and resource["change"][moment] is not None
        for resource in plan.get("resource_changes", [])
    )
