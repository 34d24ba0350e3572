"""Delays and states that AWS has at times, each switched on by an SSM parameter.

A test (or a person) puts the parameter, as `aws ssm put-parameter` does:

/localcloud/asleep             versions that were not invoked for weeks, as <function>:<version>,
                               separated by commas: the first call is refused, and wakes the version
/localcloud/log-delay          seconds until CloudWatch Logs has what a function printed; events of
                               one millisecond then come in any order
/localcloud/log-page           the most events in a page of FilterLogEvents; every other is empty
/localcloud/metric-delay       seconds after a minute is over until CloudWatch has what Lambda and
                               API Gateway counted in it
/localcloud/permission-delay   seconds until a change of a role's policies takes effect
/localcloud/provisioned-delay  seconds for which an alias with provisioned concurrency has weights
                               of Lambda's own, after it was pointed to another version
"""

from __future__ import annotations

import time

from moto.awslambda.models import LambdaFunction
from moto.backends import get_backend

_WAKES_IN_S = 1.0
_woken: dict[str, float] = {}


class VersionInactiveError(Exception):
    """The version is not ready for calls."""


def value(account_id: str, region: str, name: str) -> str | None:
    """Return the value of /localcloud/`name`, or None if nobody put it."""
    # Fetched here and no sooner: moto's EC2 comes with it, and looks for the AWS profile.
    found = get_backend("ssm")[account_id][region].get_parameter(f"/localcloud/{name}")
    return str(found.value) if found else None


def state(function: LambdaFunction) -> str:
    """Return the State of a version: Active, Inactive, or Pending while it wakes.

    Source: "Lambda function states" in the developer guide.
    """
    version = f"{function.function_name}:{function.version}"
    asleep = value(function.account_id, function.region, "asleep") or ""
    if version not in asleep.split(","):
        _woken.pop(version, None)  # it may be put to sleep once more
        return "Active"
    if version not in _woken:
        return "Inactive"
    return "Pending" if time.monotonic() < _woken[version] + _WAKES_IN_S else "Active"


def refuse_sleeping(function: LambdaFunction) -> None:
    """Raise Sleeping if a version cannot be called yet; the first call wakes it."""
    found = state(function)
    if found == "Inactive":
        _woken[f"{function.function_name}:{function.version}"] = time.monotonic()
    if found != "Active":
        raise VersionInactiveError
