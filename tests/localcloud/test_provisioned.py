"""Provisioned concurrency and weights: an alias has one or the other, as Lambda has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.traffic import alias, provisioned_concurrency
from pipeline.target import DeployedFunction
from tests.localcloud.aws import Aws

pytestmark = pytest.mark.integration

_PLAIN = "def handler(event, context): return 'answered'"


@pytest.fixture
def live(aws: Aws) -> Iterator[dict[str, Any]]:
    """An alias of a function with two versions, which points to the first."""
    name = aws.versions(_PLAIN, _PLAIN + "  # changed")
    aws.functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    yield {"FunctionName": name, "Name": "live"}
    aws.parameters.delete_parameters(Names=["/localcloud/provisioned-delay"])


def _provision(aws: Aws, live: dict[str, Any]) -> None:
    aws.functions.put_provisioned_concurrency_config(
        FunctionName=live["FunctionName"], Qualifier="live", ProvisionedConcurrentExecutions=2
    )


def _weights(aws: Aws, live: dict[str, Any]) -> dict[str, float]:
    routing = aws.functions.get_alias(**live).get("RoutingConfig") or {}
    return dict(routing.get("AdditionalVersionWeights") or {})


def _canary(aws: Aws, live: dict[str, Any]) -> None:
    aws.functions.update_alias(**live, RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}})


def test_an_alias_with_weights_gets_no_provisioned_concurrency(
    aws: Aws, live: dict[str, Any]
) -> None:
    _canary(aws, live)
    with pytest.raises(
        aws.functions.exceptions.InvalidParameterValueException, match="Alias with weights"
    ):
        _provision(aws, live)
    aws.functions.update_alias(**live, RoutingConfig={})
    _provision(aws, live)


def test_an_alias_with_provisioned_concurrency_gets_no_weights(
    aws: Aws, live: dict[str, Any]
) -> None:
    _provision(aws, live)
    with pytest.raises(aws.functions.exceptions.InvalidParameterValueException):
        _canary(aws, live)
    assert _weights(aws, live) == {}
    aws.functions.delete_provisioned_concurrency_config(
        FunctionName=live["FunctionName"], Qualifier="live"
    )
    _canary(aws, live)
    assert _weights(aws, live) == {"2": 0.1}


def test_it_has_weights_of_lambdas_own_while_it_moves(aws: Aws, live: dict[str, Any]) -> None:
    """Only with the condition, and only if it moves. Its revision changes when they go."""
    _provision(aws, live)
    aws.functions.update_alias(**live, FunctionVersion="2")
    assert _weights(aws, live) == {}
    aws.parameters.put_parameter(
        Name="/localcloud/provisioned-delay", Value="1", Type="String", Overwrite=True
    )
    aws.functions.update_alias(**live, FunctionVersion="2")
    assert _weights(aws, live) == {}
    moving = aws.functions.update_alias(**live, FunctionVersion="1")
    assert _weights(aws, live) == {"2": 1.0}
    refused = aws.functions.exceptions.InvalidParameterValueException
    with pytest.raises(refused):
        _provision(aws, live)
    alone = alias.wait_until_alone(DeployedFunction(aws.functions, live["FunctionName"]))
    assert alone and alone.route == ("1", ())
    assert alone.revision_id != moving["RevisionId"]
    _provision(aws, live)


def test_a_switch_ends_when_lambda_has_moved_it_and_can_be_undone(
    aws: Aws, live: dict[str, Any]
) -> None:
    """Lambda's weights, and the revision that changes with them, are nobody else's doing."""
    _provision(aws, live)
    aws.parameters.put_parameter(
        Name="/localcloud/provisioned-delay", Value="1", Type="String", Overwrite=True
    )
    switch = alias.AliasSwitch(DeployedFunction(aws.functions, live["FunctionName"]))
    switch.provisioned = True
    switch.promote("2")
    assert aws.functions.get_alias(**live)["FunctionVersion"] == "2"
    assert _weights(aws, live) == {}
    switch.revert()
    assert aws.functions.get_alias(**live)["FunctionVersion"] == "1"


def test_a_rollback_moves_it_while_lambda_does(aws: Aws, live: dict[str, Any]) -> None:
    """As a deployment that was killed leaves it; without provisioned concurrency it is a canary."""
    name = live["FunctionName"]
    _canary(aws, live)
    canary = alias.read(DeployedFunction(aws.functions, name))
    assert not provisioned_concurrency.is_moving(DeployedFunction(aws.functions, name), canary)
    aws.functions.update_alias(**live, RoutingConfig={})
    _provision(aws, live)
    aws.parameters.put_parameter(
        Name="/localcloud/provisioned-delay", Value="60", Type="String", Overwrite=True
    )
    aws.functions.update_alias(**live, FunctionVersion="2")
    switch = alias.AliasSwitch(DeployedFunction(aws.functions, name))
    switch.provisioned = provisioned_concurrency.is_moving(
        DeployedFunction(aws.functions, name), switch.before
    )
    assert switch.provisioned
    # Lambda changes the alias meanwhile, and its revision with it.
    aws.functions.update_alias(**live, Description="moved on")
    switch.restore("1")
    assert aws.functions.get_alias(**live)["FunctionVersion"] == "1"
