"""What Terraform does not see: live moved by hand, code changed by hand, another layer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from pipeline.cli import plan
from pipeline.release import state
from pipeline.report import plan_comment
from pipeline.traffic import invoke
from pipeline.errors import CheckFailedError
from pipeline.terraform.plan import code_was_changed
from pipeline.target import DeployedFunction
from tests.support.environments import live, observed
from tests.unit.report.test_plan_comment import LIVE, RELEASE, _context


def _plan(code: str, state: str) -> dict[str, Any]:
    before = {"code_sha256": code, "source_code_hash": state}
    change = {"actions": ["no-op"], "before": before, "after": before}
    return {"resource_changes": [{"type": "aws_lambda_function", "change": change}]}


def test_code_that_was_changed_by_hand_is_found_in_a_plan_of_no_changes() -> None:
    assert code_was_changed(_plan("foreign", "a")) and not code_was_changed(_plan("a", "a"))
    created = {"type": "aws_lambda_function", "change": {"actions": ["create"], "before": None}}
    assert not code_was_changed({"resource_changes": [created]}) and not code_was_changed({})


def test_a_plan_of_no_changes_is_not_empty_where_a_state_needs_a_person() -> None:
    """Or the nightly job would see nothing, and a merge would say that there is nothing to do."""
    serving = replace(RELEASE, version="7")
    facts = _context(manifest=LIVE, live=serving)
    assert facts.empty and facts.nothing_to_do
    [found] = state.find(observed(live("6"), serving))
    moved = replace(facts, beyond=(found.with_command(),))
    assert not moved.empty and not moved.nothing_to_do
    document = plan.document(moved)
    assert document["empty"] is False and "live-moved" in document["beyond_terraform"][0]
    page = plan_comment.page(moved)
    assert "### Plan for staging: not as it was released\n" in page
    assert f"**{plan_comment.BEYOND}**\n\n- `live-moved: somebody moved live: v6, " in page


class _Lambda:
    """A version with layers, by their digests."""

    def __init__(self, *layers: str) -> None:
        self.layers = layers

    def get_function_configuration(self, **_: str) -> dict[str, Any]:
        arns = [f"arn:aws:lambda:us-east-1:1:layer:l:{n}" for n, _ in enumerate(self.layers)]
        code = LIVE.function.sha256_base64
        return {"CodeSha256": code, "Layers": [{"Arn": arn} for arn in arns]}

    def get_layer_version(self, LayerName: str, VersionNumber: int) -> dict[str, Any]:
        assert LayerName == "l"
        return {"Content": {"CodeSha256": self.layers[VersionNumber]}}


def test_a_version_must_have_the_bundles_layer_and_no_other() -> None:
    """Terraform gives Lambda a key; what lies there when Lambda reads it may be something else."""
    assert LIVE.layer
    good = LIVE.layer.sha256_base64
    invoke.require_code(DeployedFunction(cast(Any, _Lambda(good)), "f"), "7", LIVE)
    invoke.require_code(DeployedFunction(cast(Any, _Lambda()), "f"), "7", replace(LIVE, layer=None))
    for layers in (("tampered",), (), (good, "more")):
        with pytest.raises(CheckFailedError, match="layer of v7"):
            invoke.require_code(DeployedFunction(cast(Any, _Lambda(*layers)), "f"), "7", LIVE)
    with pytest.raises(CheckFailedError, match="layer of v7"):
        invoke.require_code(
            DeployedFunction(cast(Any, _Lambda(good)), "f"), "7", replace(LIVE, layer=None)
        )
