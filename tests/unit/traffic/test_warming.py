"""Before traffic goes back: as many environments as calls run at once, and a version that woke."""

from __future__ import annotations

import io
import json
import threading
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from pipeline.traffic import alias, invoke
from pipeline.config import Environment
from pipeline.target import DeployedFunction, Target


class _Lambda:
    """Answers when `at_once` calls are there together; then refuses all but one if `throttled`."""

    def __init__(self, at_once: int, throttled: bool = False, state: str = "Active") -> None:
        self.together = threading.Barrier(at_once, timeout=10)
        self.throttled, self.state = throttled, state
        self.calls = self.waited = 0

    def invoke(self, **_: Any) -> dict[str, Any]:
        number = self.together.wait()
        self.calls += 1
        if self.throttled and number:
            raise ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke")
        payload = json.dumps({"statusCode": 200, "body": "{}"}).encode()
        return {"Payload": io.BytesIO(payload), "ResponseMetadata": {"RequestId": "r"}}

    def get_function_configuration(self, **_: str) -> dict[str, str]:
        return {"State": self.state}

    def get_waiter(self, name: str) -> Any:
        assert name == "published_version_active"

        def wait(**_: Any) -> None:
            self.waited += 1

        return SimpleNamespace(wait=wait)


@pytest.mark.parametrize("throttled", [False, True])
def test_as_many_calls_are_made_at_once_as_live_has(throttled: bool) -> None:
    """Each meets an environment of its own; one that is throttled speaks against nothing."""
    functions = _Lambda(5, throttled)
    assert invoke.warm(DeployedFunction(cast(Any, functions), "f"), "7", 5).outcome == "200"
    assert functions.calls == 5


@pytest.mark.parametrize(("state", "calls"), [("Active", 0), ("Inactive", 1), ("Pending", 1)])
def test_a_version_that_is_not_active_is_called_once_and_waited_for(state: str, calls: int) -> None:
    functions = _Lambda(1, state=state)
    invoke.wake(DeployedFunction(cast(Any, functions), "f"), "7")
    assert (functions.calls, functions.waited) == (calls, calls)


@pytest.mark.parametrize(
    ("maxima", "expected"), [([], 1), ([0.0], 1), ([3.0, 12.0, 7.0], 12), ([900.0], 50)]
)
def test_how_many_run_at_once_is_what_lambda_counted_of_late(
    maxima: list[float], expected: int
) -> None:
    def statistics(**query: Any) -> dict[str, Any]:
        assert query["MetricName"] == "ConcurrentExecutions"
        assert isinstance(query["StartTime"], datetime)
        return {"Datapoints": [{"Maximum": maximum} for maximum in maxima]}

    assert alias.running_at_once(Target(_account(statistics), Environment("local"))) == expected


@pytest.mark.parametrize(
    "problem",
    [
        ConnectTimeoutError(endpoint_url="cloudwatch"),
        ClientError({"Error": {"Code": "AccessDenied"}}, "GetMetricStatistics"),
    ],
)
def test_a_rollback_does_not_need_to_know(problem: Exception) -> None:
    def statistics(**_: Any) -> dict[str, Any]:
        raise problem

    assert alias.running_at_once(Target(_account(statistics), Environment("local"))) == 1


def _account(statistics: Any) -> Any:
    client = SimpleNamespace(get_metric_statistics=statistics)
    return SimpleNamespace(functions=None, session=SimpleNamespace(client=lambda *_, **__: client))
