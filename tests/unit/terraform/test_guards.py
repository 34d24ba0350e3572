"""What a plan may not destroy without a label, and what it changes for all versions at once."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from pipeline.report import plan_comment
from pipeline.terraform import plan
from pipeline.errors import PlanRefusedError
from pipeline.terraform.plan import Change, PlannedChanges
from pipeline.config import TERRAFORM_DIR
from tests.unit.report.test_plan_comment import _context

_LABEL = 50  # characters at most: "Managing labels", GitHub's documentation
_ADDRESSES = sorted(
    f"{kind}.{name}"
    for path in TERRAFORM_DIR.glob("*.tf")
    for kind, name in re.findall(r'^resource "(\w+)" "(\w+)"', path.read_text(), re.MULTILINE)
)
_BY_DESIGN = (
    *("aws_cloudwatch_dashboard", "aws_cloudwatch_log_metric_filter"),
    *("aws_cloudwatch_metric_alarm", "aws_lambda_code_signing_config"),
    *("aws_lambda_layer_version", "aws_lambda_provisioned_concurrency_config"),
)


def _resource(address: str, *actions: str, before: Any = None, after: Any = None) -> dict[str, Any]:
    change = {"actions": list(actions), "before": before, "after": after, "after_unknown": {}}
    kind = address.partition(".")[0]
    return {"address": address, "mode": "managed", "type": kind, "change": change}


_SERVES = _resource("aws_lambda_function.service", "no-op")


def _verdict(*resources: dict[str, Any]) -> PlannedChanges:
    return plan.read_plan({"resource_changes": list(resources)})


@pytest.mark.parametrize("actions", [("delete",), ("delete", "create"), ("create", "delete")])
@pytest.mark.parametrize("address", [*_ADDRESSES, "aws_of_tomorrow.x"])
def test_everything_is_guarded_but_what_is_replaced_by_design(
    address: str, actions: tuple[str, ...]
) -> None:
    """The function's role, a route, a permission, a log group; and what nobody thought of yet."""
    planned = _verdict(_resource(address, *actions, before={}, after={}))
    if address.startswith(_BY_DESIGN):
        planned.refuse_destruction(())
        return
    with pytest.raises(PlanRefusedError, match=address):
        planned.refuse_destruction(())
    planned.refuse_destruction([address])


def test_a_label_can_name_whatever_is_guarded() -> None:
    """Without its index, which may be long; it allows that resource and no other."""
    labels = [
        f"allow-destroy:{plan.without_index(address)}"
        for address in _ADDRESSES
        if not address.startswith(_BY_DESIGN)
    ]
    assert len(labels) > 10 and max(map(len, labels)) <= _LABEL
    route = 'aws_apigatewayv2_route.open["GET /api/health"]'
    planned = _verdict(_resource(route, "delete", before={}))
    with pytest.raises(PlanRefusedError) as refused:
        planned.refuse_destruction(["aws_apigatewayv2_route.api"])
    assert refused.value.hint.endswith("--allow-destroy aws_apigatewayv2_route.open")
    planned.refuse_destruction(["aws_apigatewayv2_route.open"])
    page = plan_comment.page(_context(*planned.changes, allowed=("aws_apigatewayv2_route.open",)))
    assert "which `allow-destroy:aws_apigatewayv2_route.open` allows" in page


@pytest.mark.parametrize(
    ("resource", "at_once"),
    [
        (_resource("aws_iam_role_policy.f", "update", before={"policy": 1}), True),
        (_resource("aws_apigatewayv2_route.open", "create", after={"route_key": "GET /x"}), True),
        (_resource("aws_apigatewayv2_authorizer.jwt[0]", "delete", before={"name": "jwt"}), True),
        (_resource("aws_apigatewayv2_stage.default", "update", before={"throttle": 1}), True),
        (_resource("aws_lambda_permission.api", "update", before={"principal": "x"}), True),
        (_resource("aws_cloudwatch_log_group.f", "update", before={"retention_in_days": 1}), True),
        (
            _resource(
                "aws_lambda_function.service",
                "update",
                before={"reserved_concurrent_executions": -1},
                after={"reserved_concurrent_executions": 5},
            ),
            True,
        ),
        (
            _resource(
                "aws_lambda_function.service",
                "update",
                before={"memory_size": 128},
                after={"memory_size": 256},
            ),
            False,
        ),
        (
            _resource("aws_lambda_layer_version.dependencies", "delete", "create", before={"a": 1}),
            False,
        ),
        (_resource("aws_cloudwatch_metric_alarm.errors", "update", before={"period": 1}), False),
        (
            _resource(
                "aws_apigatewayv2_stage.default",
                "update",
                before={"tags_all": {}},
                after={"tags_all": {"team": "x"}},
            ),
            False,
        ),
    ],
)
def test_what_no_canary_covers_is_marked(resource: dict[str, Any], at_once: bool) -> None:
    """Versions have code and settings of their own; all else they share."""
    planned = _verdict(_SERVES, resource)
    assert planned.at_once() == ([resource["address"]] if at_once else [])
    assert planned.to_json()["at_once"] == planned.at_once()
    assert planned.changes[0].in_words().endswith("(at once, for all versions)") == at_once
    page = plan_comment.page(_context(*planned.changes))
    assert ("takes effect with the apply itself" in page) == at_once


def test_before_the_first_version_nothing_is_marked() -> None:
    """Nobody is served who could be met by it."""
    created = [_resource(address, "create", after={"a": 1}) for address in _ADDRESSES]
    assert _verdict(*created).at_once() == []


def test_the_page_names_each_resource_that_takes_effect_at_once() -> None:
    role = Change("aws_iam_role_policy.f", "update", ("policy",), True, at_once=True)
    other = replace(role, address="aws_lambda_permission.api")
    page = plan_comment.page(_context(role, other))
    assert page.count("takes effect with the apply itself") == 1
    _, _, listed = page.partition("it stays when live goes back:**\n\n")
    assert listed.startswith("- `aws_iam_role_policy.f`\n- `aws_lambda_permission.api`\n")
