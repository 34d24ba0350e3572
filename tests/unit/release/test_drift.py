"""What Terraform does not see: live moved by hand, code changed by hand, another layer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from pipeline.cli import plan
from pipeline.release import drift
from pipeline.report import plan_comment
from pipeline.traffic import invoke
from pipeline.errors import CheckFailedError
from pipeline.traffic.alias import Live
from tests.unit.report.test_plan_comment import LIVE, RELEASE, _context

_SERVING = replace(RELEASE, version="7")


def _plan(code: str, state: str) -> dict[str, Any]:
    before = {"code_sha256": code, "source_code_hash": state}
    change = {"actions": ["no-op"], "before": before, "after": before}
    return {"resource_changes": [{"type": "aws_lambda_function", "change": change}]}


def _live(version: str, *weights: tuple[str, float]) -> Live:
    return Live(version, weights, "revision")


def test_where_all_is_as_it_was_released_nothing_is_reported() -> None:
    assert drift.beyond_terraform(_plan("a", "a"), _live("7"), _SERVING) == ()
    assert drift.beyond_terraform({}, None, None) == ()
    created = {"type": "aws_lambda_function", "change": {"actions": ["create"], "before": None}}
    assert not drift.code_was_changed({"resource_changes": [created]})


@pytest.mark.parametrize(
    ("live", "where"),
    [
        (_live("6"), "version 6 serves all of it"),
        (_live("7", ("8", 0.25)), "version 7 serves 75 %, version 8 25 %"),
    ],
)
def test_live_that_was_moved_by_hand_is_reported(live: Live, where: str) -> None:
    [line] = drift.beyond_terraform(_plan("a", "a"), live, _SERVING)
    assert where in line and "release 7, which serves by the ledger, is version 7" in line


def test_code_that_was_changed_by_hand_is_reported() -> None:
    [line] = drift.beyond_terraform(_plan("foreign", "a"), _live("7"), _SERVING)
    assert "code was changed" in line


def test_a_plan_of_no_changes_is_not_empty_then() -> None:
    """Or the nightly job would see nothing, and a merge would say that there is nothing to do."""
    facts = _context(manifest=LIVE, live=_SERVING)
    assert facts.empty and facts.nothing_to_do
    moved = replace(facts, beyond=drift.beyond_terraform({}, _live("6"), _SERVING))
    assert not moved.empty and not moved.nothing_to_do
    document = plan.document(moved)
    assert document["empty"] is False and "version 6" in document["beyond_terraform"][0]
    page = plan_comment.page(moved)
    assert "### Plan for staging: not as it was released\n" in page
    assert f"**{plan_comment.BEYOND}**\n\n- `live was moved: version 6" in page


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
    invoke.require_code(cast(Any, _Lambda(good)), "f", "7", LIVE)
    invoke.require_code(cast(Any, _Lambda()), "f", "7", replace(LIVE, layer=None))
    for layers in (("tampered",), (), (good, "more")):
        with pytest.raises(CheckFailedError, match="layer of version 7"):
            invoke.require_code(cast(Any, _Lambda(*layers)), "f", "7", LIVE)
    with pytest.raises(CheckFailedError, match="layer of version 7"):
        invoke.require_code(cast(Any, _Lambda(good)), "f", "7", replace(LIVE, layer=None))
