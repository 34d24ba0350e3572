"""Which tree is deployed, by the ledger, and which merge is next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pipeline import github
from pipeline.aws import Aws
from pipeline.bundle.manifest import Manifest, Package
from pipeline.config import Environment
from pipeline.errors import SupersededError
from pipeline.release import deployed_tree, ledger, quarantine, turn
from pipeline.release.ledger import Ledger, Outcome, Release
from pipeline.target import Target

_STAGING = Environment("staging")
_PACKAGE = Package("x.zip", 1, "00" * 32, ())
_MANIFEST = Manifest(
    *(_PACKAGE, _PACKAGE, "lock", "a.b", "python3.13", "x86_64", "built-from", "recipe"), {}
)
# main's history, the oldest first.
_MAIN = ["first", "older", "ours", "newer"]


@pytest.fixture(autouse=True)
def history(monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub, which knows main's history and another branch."""

    def get(path: str) -> Mapping[str, Any] | None:
        base, _, head = path.partition("/compare/")[2].partition("?")[0].partition("...")
        if "branch" in (base, head):
            return {"status": "diverged"}
        if not {base, head} <= set(_MAIN):
            return None
        distance = _MAIN.index(head) - _MAIN.index(base)
        return {"status": "identical" if not distance else "ahead" if distance > 0 else "behind"}

    monkeypatch.setenv("GITHUB_REPOSITORY", "octo-org/mongo-client")
    monkeypatch.setattr(github, "get", get)


def _add(account: Aws, tree: str | None, outcome: Outcome = "succeeded") -> Release:
    """Add a deployment whose tree is a commit; None: the ledger does not say it."""
    records = Ledger(Target(account, _STAGING))
    release = ledger.next_release(records.newest(), "deploy", _MANIFEST, reason=None)
    records.begin(release)
    ended = replace(release, outcome=outcome, tree=tree)
    records.end(ended)
    return ended


def _roll_back(account: Aws) -> None:
    records = Ledger(Target(account, _STAGING))
    release = ledger.next_release(records.newest(), "rollback", _MANIFEST, reason=None)
    records.begin(release)
    records.end(replace(release, outcome="succeeded"))


def _tree(account: Aws) -> str | None:
    return deployed_tree.newest(Ledger(Target(account, _STAGING)).releases())


def test_the_tree_is_the_one_that_the_job_had_checked_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle can be deployed again, with a newer commit's Terraform."""
    monkeypatch.setenv("GITHUB_SHA", "checked-out")
    release = ledger.next_release(None, "deploy", _MANIFEST, reason=None)
    assert (release.commit, release.tree) == ("built-from", "checked-out")
    monkeypatch.delenv("GITHUB_SHA")
    assert ledger.next_release(None, "deploy", _MANIFEST, reason=None).tree == "built-from"


def test_a_deployment_that_failed_deployed_no_tree(account: Aws) -> None:
    """Nor does a rollback: it runs what was deployed last."""
    assert _tree(account) is None
    _add(account, "older")
    _add(account, "newer", "failed")
    _roll_back(account)
    assert _tree(account) == "older"


def test_an_entry_of_before_names_the_commit_of_its_bundle(account: Aws) -> None:
    _add(account, None)
    assert _tree(account) == "built-from"


def test_a_tree_that_main_never_had_is_passed_over(account: Aws) -> None:
    """It was deployed from a desk: nobody reviewed it, and GitHub may not even have it."""
    for tree in ("older", "never-pushed", "branch"):
        _add(account, tree)
    assert deployed_tree.newest_of(Ledger(Target(account, _STAGING)).releases(), "ours") == "older"


@pytest.mark.parametrize("deployed", [None, "older", "ours", "never-pushed", "branch"])
def test_a_merge_is_deployed_unless_a_newer_one_was(account: Aws, deployed: str | None) -> None:
    if deployed:
        _add(account, deployed)
    assert turn.why_skip(Target(account, _STAGING), "ours", "b" * 64) is None
    turn.require(Target(account, _STAGING), "ours")


def test_an_older_merge_does_not_land_on_a_newer_one(account: Aws) -> None:
    """A merge that nobody has approved yet is skipped; an approved one never in silence."""
    _add(account, "newer")
    why = turn.why_skip(Target(account, _STAGING), "ours", "b" * 64)
    assert why and "staging has newer of main, which is newer than ours" in why
    with pytest.raises(SupersededError, match="nothing was deployed") as refused:
        turn.require(Target(account, _STAGING), "ours")
    assert "rollback.yml" in refused.value.command


@pytest.mark.parametrize("outcome", ["failed", "interrupted"])
def test_a_newer_merge_that_failed_blocks_nobody(account: Aws, outcome: Outcome) -> None:
    _add(account, "newer", outcome)
    assert turn.why_skip(Target(account, _STAGING), "ours", "b" * 64) is None
    turn.require(Target(account, _STAGING), "ours")


def test_a_merge_of_what_was_rolled_back_is_skipped(account: Aws) -> None:
    """If somebody wants it to be deployed, the deployment decides."""
    _roll_back(account)
    rollback = Ledger(Target(account, _STAGING)).newest()
    assert rollback
    quarantine.add(Target(account, _STAGING), "b" * 64, rollback)
    why = turn.why_skip(Target(account, _STAGING), "ours", "b" * 64)
    assert why and "was rolled back in staging" in why
    turn.require(Target(account, _STAGING), "ours")
