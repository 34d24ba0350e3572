"""Provisioned concurrency: what Lambda does to live's weights because of it, and what it refuses.

Lambda refuses weights on an alias that has provisioned concurrency. When such an alias is pointed
to another version, Lambda gives it weights of its own, until the new version has its environments:
hashicorp/terraform-provider-aws#48116 on GitHub, and "Managing Lambda provisioned concurrency" in
the developer guide. None of this has run on AWS yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from pipeline.aws import error_code
from pipeline.config import LIVE, ROOT, Environment
from pipeline.errors import UsageError
from pipeline.traffic.alias import Live
from pipeline.target import DeployedFunction

_HAS_NONE = frozenset({"ProvisionedConcurrencyConfigNotFoundException", "AccessDeniedException"})
_KIND = "aws_lambda_provisioned_concurrency_config"


def is_there(plan: Mapping[str, Any]) -> bool:
    """Return whether live has provisioned concurrency before a plan is applied."""
    return _has(plan, "before")


def is_planned(plan: Mapping[str, Any]) -> bool:
    """Return whether live has provisioned concurrency once a plan is applied."""
    return _has(plan, "after")


def is_moving(function: DeployedFunction, live: Live | None) -> bool:
    """Return whether live's weights are Lambda's own, because of provisioned concurrency.

    A role that may not look has no permission to provision any either.
    """
    if live is None or not live.weights:
        return False
    try:
        function.client.get_provisioned_concurrency_config(
            FunctionName=function.name, Qualifier=LIVE
        )
    except ClientError as error:
        if error_code(error) in _HAS_NONE:
            return False
        raise
    return True


def refusal(
    plan: Mapping[str, Any], environment: Environment, percents: tuple[float, ...]
) -> UsageError | None:
    """Return what refuses these steps, for live would get weights; None if it would not."""
    if not is_planned(plan) or percents == (100,):
        return None
    return UsageError(
        f"{environment.name} has provisioned concurrency, and Lambda refuses weights on an "
        f"alias that has: {LIVE} cannot move in steps",
        f"Write percents = [100] in {environment.rollout_file.relative_to(ROOT)}, deploy with "
        "--all-at-once, or unset provisioned_concurrency.",
    )


def _has(plan: Mapping[str, Any], moment: str) -> bool:
    return any(
        resource["type"] == _KIND and resource["change"][moment] is not None
        for resource in plan.get("resource_changes", [])
    )
