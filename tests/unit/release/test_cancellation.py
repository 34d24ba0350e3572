"""A deployment in a rollback's way is cancelled, and waited for; nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline import github
from pipeline.aws import Aws
from pipeline.bundle.manifest import Manifest, Package
from pipeline.config import Environment
from pipeline.errors import GitHubError, LostRaceError
from pipeline.release import ledger
from pipeline.release.cancellation import cancel_deployments
from pipeline.release.ledger import Ledger, Release
from pipeline.target import Target

_STAGING = Environment("staging")
_PACKAGE = Package("x.zip", 1, "00" * 32, ())
_MANIFEST = Manifest(
    *(_PACKAGE, _PACKAGE, "lock", "a.b", "python3.13", "x86_64", "c0ffee", "recipe"), {}
)
_RUN = "https://github.com/octo-org/mongo-client/actions/runs/7"

type Cancel = Callable[[str], None]


def _begun(account: Aws, run: str | None = _RUN) -> tuple[Ledger, Release]:
    """Begin a deployment, which gives signs of life."""
    records = Ledger(Target(account, _STAGING))
    release = ledger.next_release(records.newest(), "deploy", _MANIFEST, reason=None)
    release = replace(release, run=run)
    records.begin(release)
    return records, release


def _ends(records: Ledger, release: Release, outcome: ledger.Outcome) -> None:
    records.end(replace(release, outcome=outcome, ended=ledger.now()))


def test_its_run_is_cancelled_and_its_end_is_waited_for(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is the run of one that waited behind it, and begins at once."""
    records, first = _begun(account)
    cancelled: list[str] = []

    def cancel(run: str) -> None:
        cancelled.append(run)
        if len(cancelled) == 1:
            _ends(records, first, "failed")
            second.append(_begun(account, f"{_RUN}7"))
        else:
            _ends(*second[0], "failed")

    second: list[tuple[Ledger, Release]] = []
    monkeypatch.setattr(github, "cancel", cancel)
    newest = cancel_deployments(Target(account, _STAGING))
    assert newest and (newest.number, newest.outcome) == (2, "failed")
    assert cancelled == [_RUN, f"{_RUN}7"]


def test_one_that_ends_well_before_that_is_left_for_a_person_to_judge(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, release = _begun(account)
    monkeypatch.setattr(github, "cancel", lambda _: _ends(records, release, "succeeded"))
    with pytest.raises(LostRaceError, match="succeeded before it was cancelled"):
        cancel_deployments(Target(account, _STAGING))


def test_what_has_no_run_or_cannot_be_cancelled_is_named(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With why; and nothing is cancelled where nothing is under way."""

    def refuse(_: str) -> None:
        raise GitHubError("GitHub's API: gh: Resource not accessible (HTTP 403)")

    monkeypatch.setattr(github, "cancel", refuse)
    records, release = _begun(account)
    with pytest.raises(
        LostRaceError, match=r"is under way: release #1 .* not be cancelled: .*HTTP 403"
    ):
        cancel_deployments(Target(account, _STAGING))
    _ends(records, release, "failed")
    newest = cancel_deployments(Target(account, _STAGING))
    assert newest and newest.number == 1
    records, release = _begun(account, run=None)
    with pytest.raises(LostRaceError, match="is under way: release #2"):
        cancel_deployments(Target(account, _STAGING))
    _ends(records, release, "failed")
