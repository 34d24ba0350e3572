"""Which bundle the next environment takes, and which it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.release import ledger, promotion, quarantine
from pipeline.traffic import alias
from pipeline.aws import Aws
from pipeline.bundle.manifest import Manifest, Package
from pipeline.config import Environment
from pipeline.errors import NotPromotedError, UncommittedError
from pipeline.release.ledger import Ledger, Release
from pipeline.traffic.alias import Live
from pipeline.target import Target

_STAGING, _PRODUCTION = Environment("staging"), Environment("production")
_PACKAGE = Package("x.zip", 1, "00" * 32, ())
_MANIFEST = Manifest(
    *(_PACKAGE, _PACKAGE, "lock", "a.b", "python3.13", "x86_64", "c0ffee", "recipe"), {}
)


def _history(account: Aws, *outcomes: ledger.Outcome) -> list[Release]:
    """Write releases of staging: number n is of bundle `bundle-n`, and is version n."""
    records, written = Ledger(Target(account, _STAGING)), []
    for number, outcome in enumerate(outcomes, 1):
        release = ledger.next_release(None, "deploy", _MANIFEST, reason=None, version=str(number))
        release = replace(release, number=number, bundle=f"bundle-{number}")
        assert records._create(release, "begin")
        if outcome != "under way":
            release = replace(release, outcome=outcome, ended=ledger.now())
            assert records._create(release, "end")
        written.append(release)
    return written


def _served_by_staging(
    account: Aws, monkeypatch: pytest.MonkeyPatch, live: Live | None = Live("1", (), "r")
) -> str:
    monkeypatch.setattr(alias, "read", lambda *_: live)
    return promotion.served_by(Target(account, _STAGING))


def test_what_an_environment_serves_is_the_newest_that_succeeded(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    _history(account, "succeeded", "failed")
    assert _served_by_staging(account, monkeypatch) == "bundle-1"


def test_nothing_is_taken_from_an_environment_that_never_served(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotPromotedError, match="staging has no releases"):
        _served_by_staging(account, monkeypatch, None)


def test_nothing_is_taken_from_an_environment_while_it_releases(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    _history(account, "succeeded", "under way")
    with pytest.raises(NotPromotedError, match="release #2 of staging is under way"):
        _served_by_staging(account, monkeypatch)


@pytest.mark.parametrize("live", [Live("9", (), "r"), Live("1", (("2", 0.1),), "r")])
def test_nothing_is_taken_from_an_environment_whose_traffic_was_moved(
    account: Aws, monkeypatch: pytest.MonkeyPatch, live: Live
) -> None:
    """To another version, or a part of it."""
    _history(account, "succeeded")
    with pytest.raises(NotPromotedError, match="does not serve the release of its ledger"):
        _served_by_staging(account, monkeypatch, live)


def test_a_bundle_that_served_in_the_environment_before_is_proved(account: Aws) -> None:
    """Whether or not it serves there now."""
    _history(account, "succeeded", "succeeded")
    for bundle in ("bundle-1", "bundle-2"):
        promotion.require_promoted(Target(account, _PRODUCTION), "staging", bundle)


def test_a_bundle_that_did_not_serve_or_was_rolled_back_is_refused(account: Aws) -> None:
    """With the options that deploy it all the same."""
    releases = _history(account, "succeeded", "failed", "succeeded")
    quarantine.add(Target(account, _STAGING), "bundle-1", releases[-1])
    for bundle, problem in (
        ("bundle-1", "was rolled back in staging"),
        ("bundle-2", "has not been released to staging"),
        ("elsewhere", "has not been released to staging"),
    ):
        with pytest.raises(NotPromotedError, match=problem) as refused:
            promotion.require_promoted(Target(account, _PRODUCTION), "staging", bundle)
        assert "--skip-promotion-check --reason" in refused.value.hint
    promotion.require_promoted(Target(account, _PRODUCTION), "staging", "bundle-3")


@pytest.mark.parametrize("name", ["staging", "production"])
def test_uncommitted_source_is_for_this_machine_only(account: Aws, name: str) -> None:
    changed = f"{'c0ffee' * 6}c0ff+changes"
    promotion.require_committed(Target(account, Environment("local")), changed)
    target = Target(account, Environment(name))
    for committed in (changed.removesuffix("+changes"), None):
        promotion.require_committed(target, committed)
    with pytest.raises(UncommittedError, match=r"commit c0ffeec0ffee\+changes") as refused:
        promotion.require_committed(target, changed)
    assert refused.value.command == "python -m pipeline build"
