"""What a plan gives the later steps of a job, and how it compares in words with another one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import plan
from pipeline.bundle.manifest import Manifest, Package
from pipeline.terraform.plan import Change, PlannedChanges
from pipeline.release.ledger import Release
from pipeline.report.plan_comment import PlanComment
from pipeline.inspection.report import BundleInfo, Report

_PACKAGE = Package("x.zip", 1, "00" * 32, ())
_MANIFEST = Manifest(
    *(_PACKAGE, _PACKAGE, "lock", "a.b", "python3.13", "x86_64", "c0ffee", "recipe"), {}
)
_CHANGED = PlannedChanges(
    (Change("aws_iam_role.r", "update", ("name",), False),), (), "digest", "effects"
)
_EMPTY = PlannedChanges((), (), "digest", "effects")
_LIVE = Release(
    *(7, "deploy", "succeeded", _MANIFEST.id, "7", None, "2026-11-23T17:05:13+00:00", None),
    *("ada", None, None, None, None),
)


def _outputs(file: Path, **more: Any) -> dict[str, str]:
    """Return a plan's outputs; it changes something unless a test says otherwise."""
    facts: dict[str, Any] = {
        "environment": "staging",
        "manifest": _MANIFEST,
        "commit": None,
        "planned": _CHANGED,
        "beyond": (),
        "allowed": (),
        "live": _LIVE,
        "live_manifest": _MANIFEST,
        "unfinished": None,
        "quarantined": None,
        "refused": None,
        "inspection": Report("id", BundleInfo("a.b", "x86_64", "python3.13", None, None, ()), ()),
        "differences": None,
    }
    file.write_text("")
    plan._set_outputs(PlanComment(**(facts | more)))
    found = re.findall(r"^([\w-]+)<<(\w+)\n(.*?)\n\2$", file.read_text(), re.M | re.S)
    return {name: value for name, _, value in found}


def test_a_plan_gives_its_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "output"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(file))
    usual = {"sha256": "digest", "empty": "false", "nothing-to-do": "false", "quarantined": "false"}
    assert _outputs(file) == usual
    assert _outputs(file, differences=()) == usual | {"differs": "false"}
    assert _outputs(file, differences=("x",)) == usual | {"differs": "true"}
    assert _outputs(file, quarantined="slow") == usual | {"quarantined": "true"}
    assert _outputs(file, planned=_EMPTY) == usual | {"empty": "true", "nothing-to-do": "true"}
    assert _outputs(file, planned=_EMPTY, beyond=("live was moved",)) == usual
    another = {"planned": _EMPTY, "live": None}
    assert _outputs(file, **another) == usual | {"empty": "true"}


def test_a_plan_is_compared_in_words() -> None:
    assert plan._differences_in_words(None) == []
    same = "This is the same as the pull request showed."
    assert plan._differences_in_words(()) == [same]
    assert plan._differences_in_words(("bundle 1\n; the reviewed plan has 2",)) == [
        "This is not what the pull request showed:",
        "    bundle 1 ; the reviewed plan has 2",
    ]
