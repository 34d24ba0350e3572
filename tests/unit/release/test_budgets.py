"""Time budgets fit together; weights come back rounded; rights take a while."""

from __future__ import annotations

import io
import json
import re
from typing import Any, cast

import pytest

from pipeline import config
from pipeline.traffic import invoke
from pipeline.config import JOB_S, Environment, Rollout
from pipeline.errors import CheckFailedError
from pipeline.config import DEPLOYED_FROM_GITHUB, ROOT
from pipeline.traffic.alias import Live
from pipeline.target import DeployedFunction


def _steps(percents: str = "[10, 100]", watch_s: float = 300) -> Rollout:
    return Rollout.from_text(
        f"percents = {percents}\nwatch_s = {watch_s}\nleast_calls = 500\nalarms = []\n"
    )


def test_each_environments_steps_fit() -> None:
    for name in DEPLOYED_FROM_GITHUB:
        assert Environment(name).rollout().percents[-1] == 100


@pytest.mark.parametrize(
    ("percents", "watch_s", "message"),
    [
        ("[5, 25, 100]", 300, "3 steps of 300 s, .* take up to 1800 s; .* leave 1200 s"),
        ("[100]", 1500, "1 steps of 1500 s, .* take up to 1800 s; .* Watch for 900 s at most"),
        ("[10, 100]", 301, "take up to 1202 s"),
    ],
)
def test_steps_that_cannot_end_within_the_job_are_refused_with_the_sums(
    percents: str, watch_s: float, message: str
) -> None:
    """Such a deployment would always be cut off, and have ten seconds to put live back."""
    with pytest.raises(ValueError, match=message):
        _steps(percents, watch_s)
    _steps("[10, 100]", 300)


def test_the_job_has_the_time_that_is_counted_with_and_the_session_lasts_longer() -> None:
    text = (ROOT / ".github/workflows/release.yml").read_text()
    _, _, job = text.partition("    name: Deploy\n")
    [minutes, *_] = re.findall(r"timeout-minutes: (\d+)", job)
    assert int(minutes) * 60 == JOB_S
    trust = (ROOT / "terraform/bootstrap/trust.tf").read_text()
    [session] = re.findall(r"max_session_duration += (\d+)", trust)
    assert int(session) >= JOB_S
    assert config.OWN_CALLS_S < JOB_S


def test_shares_that_lambda_may_round_are_refused() -> None:
    assert _steps("[0.25, 12.5, 100]", 0).percents == (0.25, 12.5, 100)
    with pytest.raises(ValueError, match="two decimal places"):
        _steps("[0.125, 100]", 0)


def test_a_weight_that_comes_back_rounded_is_the_same_route() -> None:
    """Or live would not go back: somebody else would seem to have moved it."""
    live = Live("1", (("2", 0.1234),), "r")
    assert live.same_route_as(Live("1", (("2", 0.12),), "s"))
    for version, weights in [("1", ()), ("1", (("2", 0.2),)), ("1", (("3", 0.1234),)), ("2", ())]:
        assert not live.same_route_as(Live(version, weights, "r"))


class _Lambda:
    """Answers with one status after the other; the last one stays."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.calls = 0

    def invoke(self, **_: Any) -> dict[str, Any]:
        self.calls += 1
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        payload = json.dumps({"statusCode": status, "body": "{}"}).encode()
        return {"Payload": io.BytesIO(payload), "ResponseMetadata": {"RequestId": "r"}}


@pytest.mark.parametrize(("patience_s", "calls"), [(60, 3), (0, 1)])
def test_a_right_that_does_not_hold_yet_is_waited_for_if_it_is_new(
    patience_s: float, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function cannot read its secret for some seconds, and answers 503."""
    monkeypatch.setattr("pipeline.traffic.invoke.time.sleep", lambda _: None)
    functions = _Lambda(503, 503, 200)
    if patience_s:
        invoke.require_healthy_response(
            DeployedFunction(cast(Any, functions), "f"), "7", patience_s=patience_s
        )
    else:
        with pytest.raises(CheckFailedError):
            invoke.require_healthy_response(
                DeployedFunction(cast(Any, functions), "f"), "7", patience_s=patience_s
            )
    assert functions.calls == calls


def test_no_other_failure_is_waited_for() -> None:
    functions = _Lambda(500, 200)
    with pytest.raises(CheckFailedError):
        invoke.require_healthy_response(
            DeployedFunction(cast(Any, functions), "f"), "7", patience_s=60
        )
