"""What AWS has at times, and this cloud only if it is let: values of SSM parameters.

A test (or a person) puts the parameter, as `aws ssm put-parameter` does:

/localcloud/asleep      versions that nobody called for long, as <function>:<version>, with commas
                        in between: the first call is refused, and wakes the version
/localcloud/log-delay   seconds until CloudWatch Logs has what a function printed; events of one
                        millisecond then come in any order
/localcloud/log-page    how many events a page of FilterLogEvents has at most; every other is empty
"""

from __future__ import annotations

import time

from moto.awslambda.models import LambdaFunction
from moto.ssm.models import ssm_backends

_WAKES_IN_S = 1.0
_woken: dict[str, float] = {}


class Sleeping(Exception):
    """The version is not ready for calls."""


def value(account_id: str, region: str, name: str) -> str | None:
    """Return the value of /localcloud/`name`, or None if nobody put it."""
    found = ssm_backends[account_id][region].get_parameter(f"/localcloud/{name}")
    return str(found.value) if found else None


def state(function: LambdaFunction) -> str:
    """Return the State of a version: Active, Inactive, or Pending while it wakes.

    Source: "Lambda function states" in the developer guide.
    """
    version = f"{function.function_name}:{function.version}"
    asleep = value(function.account_id, function.region, "asleep") or ""
    if version not in asleep.split(","):
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
        raise Sleeping
