"""Reading plans: what changes in words, what is refused, and when two plans do the same."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import PlanRefusedError
from pipeline.terraform.plan import read_plan


def _resource(
    address: str,
    actions: list[str],
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    unknown: dict[str, Any] | None = None,
) -> dict[str, Any]:
    change = {"actions": actions, "before": before, "after": after, "after_unknown": unknown or {}}
    kind = address.partition(".")[0]
    return {"address": address, "mode": "managed", "type": kind, "change": change}


def _plan(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"resource_changes": list(resources)} | more


_FUNCTION = "aws_lambda_function.service"


def test_a_plan_without_changes_is_empty() -> None:
    planned = read_plan(_plan(_resource(_FUNCTION, ["no-op"], {"a": 1}, {"a": 1})))
    assert planned.empty and planned.changes == ()


def test_a_changed_output_is_a_change() -> None:
    plan = _plan(output_changes={"url": {"actions": ["update"]}, "x": {"actions": ["no-op"]}})
    planned = read_plan(plan)
    assert not planned.empty and planned.outputs == ("url",)


def test_data_sources_are_no_changes() -> None:
    resource = _resource("aws_region.current", ["read"]) | {"mode": "data"}
    assert read_plan(_plan(resource)).empty


def test_a_forgotten_resource_is_reported_and_not_refused() -> None:
    """A `removed` block that destroys nothing."""
    planned = read_plan(_plan(_resource(_FUNCTION, ["forget"], {"a": 1})))
    assert [change.in_words() for change in planned.changes] == [f"  . {_FUNCTION}"]
    planned.refuse_destruction(())


def test_changes_are_reported_by_name_and_never_by_value() -> None:
    """Down to the single environment variable; what merely follows from a change is left out."""
    before = {"timeout": 3, "environment": [{"variables": {"A": "secret", "B": "2"}}], "arn": "x"}
    after = {"timeout": 9, "environment": [{"variables": {"A": "hidden", "B": "2"}}]}
    unknown = {"arn": True, "layers": True}
    configuration = {
        "root_module": {
            "resources": [{"address": _FUNCTION, "expressions": {"layers": {}, "timeout": {}}}]
        }
    }
    plan = _plan(
        _resource(_FUNCTION, ["update"], before, after, unknown), configuration=configuration
    )
    [change] = read_plan(plan).changes
    assert change.attributes == ("environment.variables.A", "layers", "timeout")
    assert change.in_words() == f"  ~ {_FUNCTION}: environment.variables.A, layers, timeout"
    assert "secret" not in str(read_plan(plan).to_json())


@pytest.mark.parametrize(
    "address",
    [
        _FUNCTION,
        "aws_lambda_alias.live",
        "aws_apigatewayv2_api.http",
        "aws_s3_bucket.artifacts",
    ],
)
@pytest.mark.parametrize("actions", [["delete"], ["delete", "create"], ["create", "delete"]])
def test_what_has_traffic_or_data_is_not_destroyed_without_permission(
    address: str, actions: list[str]
) -> None:
    planned = read_plan(_plan(_resource(address, actions, {}, {})))
    with pytest.raises(PlanRefusedError, match=address) as refused:
        planned.refuse_destruction(allowed=())
    assert f"--allow-destroy {address}" in refused.value.hint
    planned.refuse_destruction(allowed=[address])


def test_a_layer_version_may_be_replaced() -> None:
    """Its older versions stay: the resource is skip_destroy."""
    plan = _plan(
        _resource("aws_lambda_layer_version.dependencies[0]", ["delete", "create"], {}, {})
    )
    read_plan(plan).refuse_destruction(allowed=())


def test_of_a_replacement_only_what_forces_it_is_named() -> None:
    resource = _resource(_FUNCTION, ["delete", "create"], {"a": 1, "b": ""}, {"a": 2, "b": None})
    resource["change"]["replace_paths"] = [["a"]]
    [change] = read_plan(_plan(resource)).changes
    assert change.in_words() == f"-/+ {_FUNCTION}: a"


def test_plans_that_do_the_same_have_the_same_digest() -> None:
    one = _resource(_FUNCTION, ["update"], {"a": 1}, {"a": 2})
    other = _resource("aws_lambda_alias.live", ["create"], None, {"b": 1})
    same = read_plan(_plan(one, other, timestamp="2026-01-01")).sha256
    assert read_plan(_plan(other, one, timestamp="2027-01-01")).sha256 == same
    different = _resource(_FUNCTION, ["update"], {"a": 1}, {"a": 3})
    assert read_plan(_plan(different, other)).sha256 != same


def _updated(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Return the digest of the effects of an update of the function."""
    return read_plan(_plan(_resource(_FUNCTION, ["update"], before, after))).effects_sha256


def test_effects_are_the_same_whatever_was_there_before() -> None:
    """After each deployment, an open pull request's plan has another `before`, and bundle."""
    displayed = _updated(
        {"memory_size": 128, "s3_key": "old", "code_sha256": "o", "timeout": 3, "version": "6"},
        {"memory_size": 512, "s3_key": "ours", "code_sha256": "o", "timeout": 3},
    )
    now = _updated(
        {"memory_size": 256, "s3_key": "newer", "code_sha256": "n", "timeout": 9, "version": "7"},
        {"memory_size": 512, "s3_key": "merged", "code_sha256": "n", "timeout": 9},
    )
    assert now == displayed


@pytest.mark.parametrize(
    "after", [{"memory_size": 513}, {"memory_size": 512, "timeout": 4}, {"memory_size": 128}]
)
def test_effects_differ_by_what_changes(after: dict[str, Any]) -> None:
    before = {"memory_size": 128, "timeout": 3}
    assert _updated(before, before | after) != _updated(before, before | {"memory_size": 512})


def test_a_changed_output_changes_the_digest() -> None:
    def digest(value: str) -> str:
        return read_plan(
            _plan(output_changes={"url": {"actions": ["update"], "before": "a", "after": value}})
        ).sha256

    assert digest("b") != digest("c") and digest("b") == digest("b")
    assert digest("b") != read_plan(_plan()).sha256
