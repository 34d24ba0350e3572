"""Moving live back, whatever AWS does meanwhile."""

from __future__ import annotations

from typing import Any, cast

import pytest
from botocore.exceptions import ConnectionClosedError

from pipeline import aws
from pipeline.release import outcome
from pipeline.traffic import alias
from pipeline.errors import LostRaceError
from pipeline.traffic.alias import AliasSwitch
from pipeline.target import DeployedFunction


class _Lambda:
    """An alias, and calls that fail or lose their response a given number of times."""

    def __init__(self, version: str, weights: dict[str, float]) -> None:
        self.alias: dict[str, Any] = {"FunctionVersion": version, "RevisionId": "0"}
        self.alias["RoutingConfig"] = {"AdditionalVersionWeights": weights}
        self.unreachable = 0
        self.lost = 0

    def get_alias(self, **_: str) -> dict[str, Any]:
        if self.unreachable:
            self.unreachable -= 1
            raise ConnectionClosedError(endpoint_url="lambda")
        return dict(self.alias)

    def update_alias(self, **to: Any) -> dict[str, Any]:
        if self.unreachable:
            self.unreachable -= 1
            raise ConnectionClosedError(endpoint_url="lambda")
        assert to["RevisionId"] == self.alias["RevisionId"]
        number = int(self.alias["RevisionId"]) + 1
        self.alias = to | {"RevisionId": str(number)}
        if self.lost:
            self.lost -= 1
            raise ConnectionClosedError(endpoint_url="lambda")
        return dict(self.alias)

    @property
    def route(self) -> tuple[str, dict[str, float]]:
        return (
            self.alias["FunctionVersion"],
            self.alias["RoutingConfig"]["AdditionalVersionWeights"],
        )


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "_PAUSES_S", (0, 0))


def _switch(functions: _Lambda) -> AliasSwitch:
    return AliasSwitch(DeployedFunction(cast(Any, functions), "f"))


def test_live_goes_back_though_aws_is_gone_for_a_moment() -> None:
    functions = _Lambda("1", {})
    switch = _switch(functions)
    switch.shift("2", 10)
    functions.unreachable = 2
    switch.revert()
    assert functions.route == ("1", {})


def test_if_it_cannot_go_back_that_is_an_error() -> None:
    functions = _Lambda("1", {})
    switch = _switch(functions)
    switch.promote("2")
    functions.unreachable = 9
    with pytest.raises(ConnectionClosedError):
        switch.revert()
    functions.unreachable = 0
    assert _traffic(switch) == "v2 serves all of it, and it could not be taken back"


def test_what_serves_is_described_with_its_shares() -> None:
    """A move that this command intended is reported as its own, and no other one is."""
    functions = _Lambda("1", {})
    switch = _switch(functions)
    assert _traffic(switch) == "unchanged: v1 serves all of it"
    switch.shift("2", 10)
    assert _traffic(switch) == "moved: v1 serves 90 %, v2 10 %"
    switch.revert()
    assert _traffic(switch) == "back at v1: v1 serves all of it"


def _traffic(switch: AliasSwitch) -> str:
    return outcome.in_words(switch, alias.read(switch._function))


@pytest.mark.parametrize(("unreachable", "lost"), [(0, 1), (1, 0)])
def test_a_dead_canarys_share_does_not_come_back(unreachable: int, lost: int) -> None:
    """The call that takes it away is lost, or its answer is: it is gone at the end."""
    functions = _Lambda("1", {"2": 0.1})
    switch = _switch(functions)
    functions.unreachable, functions.lost = unreachable, lost
    with pytest.raises(ConnectionClosedError):
        switch.reset("1")
    switch.revert()
    assert functions.route == ("1", {})


def test_a_concurrent_change_by_a_person_stays() -> None:
    functions = _Lambda("1", {})
    switch = _switch(functions)
    switch.promote("2")
    functions.update_alias(
        RevisionId="1", FunctionVersion="7", RoutingConfig={"AdditionalVersionWeights": {}}
    )
    with pytest.raises(LostRaceError, match="v7"):
        switch.revert()
    assert functions.route == ("7", {})
    assert _traffic(switch) == "moved by somebody else: v7 serves all of it"
