"""Provisioned concurrency: no steps, and the weights that Lambda gives live itself."""

from __future__ import annotations

from typing import Any, cast

import pytest

from botocore.exceptions import ClientError

from pipeline.cli import plan
from pipeline.release import outcome
from pipeline.traffic import alias, provisioned_concurrency
from pipeline.config import Environment
from pipeline.errors import AwsError, LostRaceError
from pipeline.traffic.alias import Live, AliasSwitch
from pipeline.target import DeployedFunction

_LOCAL = Environment("local")
_IN_STEPS, _AT_ONCE = (10.0, 100.0), (100.0,)
_THERE = {"provisioned_concurrent_executions": 2}


def _plan(before: Any, after: Any) -> dict[str, Any]:
    return {
        "resource_changes": [
            {"type": "aws_lambda_alias", "change": {"before": {}, "after": {}}},
            {
                "type": "aws_lambda_provisioned_concurrency_config",
                "change": {"before": before, "after": after},
            },
        ]
    }


@pytest.mark.parametrize("before", [None, _THERE])
def test_live_cannot_move_in_steps_if_it_has_it_after_the_apply(before: Any) -> None:
    refused = provisioned_concurrency.refusal(_plan(before, _THERE), _LOCAL, _IN_STEPS)
    assert refused and "live cannot move in steps" in refused.message
    file = "terraform/environments/local/rollout.toml"
    assert f"Write percents = [100] in {file}, deploy with --all-at-once" in refused.hint


def test_it_can_if_it_has_none_or_takes_one_step() -> None:
    refusal = provisioned_concurrency.refusal
    assert refusal(_plan(before=_THERE, after=None), _LOCAL, _IN_STEPS) is None
    assert refusal({"resource_changes": []}, _LOCAL, _IN_STEPS) is None
    assert refusal(_plan(before=_THERE, after=_THERE), _LOCAL, _AT_ONCE) is None


def test_a_plan_warns_of_it() -> None:
    """Local's own steps begin with 10 %."""
    warning = plan._refused(_plan(None, _THERE), _LOCAL)
    assert warning and warning.startswith("a deployment is refused: local has provisioned")
    assert plan._refused(_plan(_THERE, None), _LOCAL) is None


def test_a_plan_says_whether_it_is_there_before_and_after() -> None:
    created, gone = _plan(None, _THERE), _plan(_THERE, None)
    assert (
        provisioned_concurrency.is_there(created),
        provisioned_concurrency.is_planned(created),
    ) == (False, True)
    assert (provisioned_concurrency.is_there(gone), provisioned_concurrency.is_planned(gone)) == (
        True,
        False,
    )


def _error(code: str, operation: Any) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, operation)


class _Lambda:
    """An alias with provisioned concurrency: once moved, it has weights for as many looks."""

    def __init__(self, looks: int, provisioned: str = "") -> None:
        self._looks = looks
        self._provisioned = provisioned
        self.refuses = False
        self.alias: dict[str, Any] = {"FunctionVersion": "1", "RevisionId": "0"}
        self._left = 0

    def get_alias(self, **_: str) -> dict[str, Any]:
        if self._left:
            self._left -= 1
            if not self._left:
                self._set(self.alias["FunctionVersion"], {})
        return dict(self.alias)

    def update_alias(self, **to: Any) -> dict[str, Any]:
        if to["RevisionId"] != self.alias["RevisionId"]:
            raise _error("PreconditionFailedException", "UpdateAlias")
        if self.refuses and self._left:
            raise _error("ResourceConflictException", "UpdateAlias")
        assert not to["RoutingConfig"]["AdditionalVersionWeights"]
        self._left = self._looks
        self._set(to["FunctionVersion"], {self.alias["FunctionVersion"]: 1.0})
        return dict(self.alias)

    def get_provisioned_concurrency_config(self, **which: str) -> dict[str, Any]:
        assert which == {"FunctionName": "f", "Qualifier": "live"}
        if self._provisioned:
            raise _error(self._provisioned, "GetProvisionedConcurrencyConfig")
        return {}

    def move_as_somebody_else(self, version: str) -> None:
        self._left = 0
        self._set(version, {})

    def _set(self, version: str, weights: dict[str, float]) -> None:
        self.alias = {
            "FunctionVersion": version,
            "RoutingConfig": {"AdditionalVersionWeights": weights},
            "RevisionId": str(int(self.alias["RevisionId"]) + 1),
        }


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alias, "_WEIGHTS_PAUSE_S", 0)


def _switch(functions: _Lambda) -> AliasSwitch:
    switch = AliasSwitch(DeployedFunction(cast(Any, functions), "f"))
    switch.provisioned = True
    return switch


def _now(functions: _Lambda) -> alias.Live:
    live = alias.read(DeployedFunction(cast(Any, functions), "f"))
    assert live
    return live


def test_a_switch_waits_until_lambdas_own_weights_are_gone() -> None:
    functions = _Lambda(looks=3)
    _switch(functions).promote("2")
    assert _now(functions).route == ("2", ())


def test_weights_that_stay_are_an_error_and_live_goes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if the new version failed to initialise. It is undone while Lambda still moves it."""
    monkeypatch.setattr(alias, "_WEIGHTS_PATIENCE_S", 0)
    functions = _Lambda(looks=1000)
    switch = _switch(functions)
    with pytest.raises(AwsError, match="v1 100 %") as stuck:
        switch.promote("2")
    assert "get-provisioned-concurrency-config" in stuck.value.command
    assert outcome.in_words(switch, _now(functions)).startswith("moved: v2")
    switch.revert()
    assert functions.alias["FunctionVersion"] == "1"
    assert outcome.in_words(switch, _now(functions)).startswith("back at v1")


def test_a_concurrent_move_of_live_wins() -> None:
    functions = _Lambda(looks=3)
    switch = _switch(functions)
    switch.promote("2")
    functions.move_as_somebody_else("7")
    for move in (switch.revert, lambda: switch.promote("2")):
        with pytest.raises(LostRaceError, match="v7"):
            move()
    assert _now(functions).route == ("7", ())


def test_without_it_weights_are_somebody_elses() -> None:
    functions = _Lambda(looks=1000)
    switch = AliasSwitch(DeployedFunction(cast(Any, functions), "f"))
    switch.promote("2")
    with pytest.raises(LostRaceError):
        switch.revert()


def _left_moving(looks: int) -> tuple[_Lambda, AliasSwitch]:
    """Return an alias that a deployment left while Lambda moves it, and a rollback's switch."""
    functions = _Lambda(looks)
    _switch(functions)._point(("2", ()))
    switch = AliasSwitch(DeployedFunction(cast(Any, functions), "f"))
    assert switch.before and switch.before.weights
    client: Any = functions
    switch.provisioned = provisioned_concurrency.is_moving(
        DeployedFunction(client, "f"), switch.before
    )
    return functions, switch


def test_a_rollback_goes_back_while_lambda_moves_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once: a version that is never initialised would keep the weights for good."""
    monkeypatch.setattr(alias, "_WEIGHTS_PATIENCE_S", 0)
    functions, switch = _left_moving(looks=1000)
    switch.restore("1")
    assert functions.alias["FunctionVersion"] == "1"


def test_the_end_of_lambdas_own_weights_is_no_lost_race() -> None:
    functions, switch = _left_moving(looks=2)
    _now(functions)
    switch.restore("1")
    assert functions.alias["FunctionVersion"] == "1"


def test_if_lambda_refuses_it_is_waited_for() -> None:
    functions, switch = _left_moving(looks=4)
    functions.refuses = True
    switch.restore("1")
    assert _now(functions).route == ("1", ())


@pytest.mark.parametrize(
    ("refusal", "weights", "moving"),
    [
        ("", {"1": 1.0}, True),
        ("", {}, False),
        ("ProvisionedConcurrencyConfigNotFoundException", {"1": 0.9}, False),
        # A role without the option's permissions cannot have provisioned any.
        ("AccessDeniedException", {"1": 0.9}, False),
    ],
)
def test_weights_are_lambdas_own_if_there_is_provisioned_concurrency(
    refusal: str, weights: dict[str, float], moving: bool
) -> None:
    functions: Any = _Lambda(looks=1, provisioned=refusal)
    live = Live("2", tuple(weights.items()), "r")
    assert provisioned_concurrency.is_moving(DeployedFunction(functions, "f"), live) == moving
    assert not provisioned_concurrency.is_moving(DeployedFunction(functions, "f"), None)
