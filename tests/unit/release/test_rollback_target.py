"""Which release comes back, which version must serve, and which lock nobody holds any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.release import ledger, quarantine, state_lock, rollback_target
from pipeline.traffic import configuration, invoke
from pipeline.aws import Aws
from pipeline.bundle.manifest import Bundle, Manifest, Package
from pipeline.config import Environment
from pipeline.bundle import store
from pipeline.errors import BundleError, ReleaseUnusableError
from pipeline.release.ledger import Ledger, Release
from pipeline.traffic.alias import Live
from pipeline.traffic.invoke import Health
from pipeline.target import Target

_STAGING = Environment("staging")
_PACKAGE = Package("x.zip", 1, "00" * 32, ())
_MANIFEST = Manifest(
    *(_PACKAGE, _PACKAGE, "lock", "a.b", "python3.13", "x86_64", "c0ffee", "recipe"), {}
)


def _deploy(bundle: str, version: str | None, outcome: ledger.Outcome = "succeeded") -> Release:
    release = ledger.next_release(None, "deploy", _MANIFEST, reason=None, version=version)
    return replace(release, bundle=bundle, outcome=outcome, ended=ledger.now())


def _rollback(
    bundle: str, version: str | None, restores: int, outcome: ledger.Outcome = "succeeded"
) -> Release:
    return replace(_deploy(bundle, version, outcome), kind="rollback", restores=restores)


def _history(account: Aws, *releases: Release, quarantined: str = "") -> None:
    """Write releases, oldest first, and put bundles, of a letter each, into quarantine."""
    records = Ledger(Target(account, _STAGING))
    for number, release in enumerate(releases, 1):
        numbered = replace(release, number=number)
        assert records._create(numbered, "begin") and records._create(numbered, "end")
    for bundle in quarantined:
        quarantine.add(Target(account, _STAGING), bundle, releases[-1])


def _chosen(account: Aws, live: str, number: int | None = None) -> tuple[int, int]:
    """Return the numbers of the release that is left and of the one that comes back."""
    chosen = rollback_target.choose(Target(account, _STAGING), Live(live, (), "r"), number)
    return chosen.current.number, chosen.release.number


ABC = (_deploy("a", "1"), _deploy("b", "2"), _deploy("c", "3"))


def test_the_release_before_comes_back_and_then_the_one_before_that(account: Aws) -> None:
    """From 3 to 2 to 1: it does not bounce, and at the end it says so."""
    back = (_rollback("b", "2", 2), _rollback("a", "1", 1))
    _history(account, *ABC)
    assert _chosen(account, "3") == (3, 2)
    _history(account, *ABC, back[0], quarantined="c")
    assert _chosen(account, "2") == (4, 1)
    _history(account, *ABC, *back, quarantined="cb")
    with pytest.raises(ReleaseUnusableError, match="no release before #1"):
        _chosen(account, "1")


@pytest.mark.parametrize("number", [None, 2])
def test_a_rollback_of_a_half_way_deployment_is_finished_by_the_same_command(
    account: Aws, number: int | None
) -> None:
    """It died after it had moved live: it leaves and restores what it was to."""
    half_way = (*ABC[:2], _deploy("c", None, "interrupted"))
    _history(account, *half_way)
    assert _chosen(account, "3", number) == (3, 2)
    _history(account, *half_way, _rollback("b", "2", 2, "interrupted"))
    assert _chosen(account, "2", number) == (3, 2)


def test_a_rollback_that_died_is_finished_before_another_begins(account: Aws) -> None:
    _history(account, *ABC, _rollback("a", "1", 1, "failed"))
    assert _chosen(account, "1") == (3, 1)


@pytest.mark.parametrize(
    ("newer", "number", "expected"),
    [
        ((), 3, (3, 3)),  # what the ledger says
        ((), 1, (3, 1)),  # what serves
        ((), 2, (3, 2)),
        # A deployment that failed has no traffic: it is not what is left.
        ((_deploy("d", "4", "failed"),), 3, (3, 3)),
        ((_deploy("d", None, "interrupted"),), 1, (3, 1)),
    ],
)
def test_a_live_that_somebody_moved_goes_either_way_by_number(
    account: Aws, newer: tuple[Release, ...], number: int, expected: tuple[int, int]
) -> None:
    _history(account, *ABC, *newer)
    assert _chosen(account, "1", number) == expected
    chosen = rollback_target.choose(Target(account, _STAGING), Live("1", (), "r"), number)
    assert chosen.moved == "v1 of #1 serves all calls"
    assert chosen.leaves_bundle is (number != 3)


def test_what_can_be_chosen_is_listed_with_its_reason_and_whether_it_was_bad(account: Aws) -> None:
    _history(
        account, *ABC[:2], replace(ABC[2], reason="faster"), _deploy("d", "4"), quarantined="b"
    )
    with pytest.raises(ReleaseUnusableError) as refused:
        _chosen(account, "4", 4)
    _, third, second, first = refused.value.hint.splitlines()
    assert third.endswith(": faster") and second.endswith("  (in quarantine)")
    assert "quarantine" not in first + third


def test_a_live_that_somebody_moved_goes_nowhere_without_a_number(account: Aws) -> None:
    """The refusal names both ways, and the one that the ledger says as a command."""
    _history(account, *ABC)
    with pytest.raises(ReleaseUnusableError, match="somebody moved live: v1 of #1") as refused:
        _chosen(account, "1")
    assert "To take that back: --to 3. To keep what serves: --to 1." in refused.value.hint
    assert refused.value.command.endswith("rollback --environment staging --to 3")
    with pytest.raises(ReleaseUnusableError, match="v9, which no release has") as refused:
        _chosen(account, "9")
    assert "keep" not in refused.value.hint
    with pytest.raises(ReleaseUnusableError, match="the alias live is gone") as refused:
        rollback_target.choose(Target(account, _STAGING), None, 3)
    assert "deploy --environment staging --bundle c" in refused.value.command


def test_a_first_release_that_failed_leaves_nothing_to_restore(account: Aws) -> None:
    """It serves all the same, and the refusal says so."""
    _history(account, _deploy("a", "1", "failed"))
    with pytest.raises(ReleaseUnusableError, match="no release of staging ever succeeded.*v1 of"):
        _chosen(account, "1")


def test_a_bundle_that_is_not_whole_is_refused_with_the_releases_that_can_be_restored(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole are only those of the releases 1 and 4."""
    _history(account, *ABC, _deploy("d", "4"), _deploy("e", "5"))
    monkeypatch.setattr(store, "problem", lambda _, bundle: None if bundle in "ad" else "missing")
    chosen = rollback_target.choose(Target(account, _STAGING), Live("5", (), "r"), 2)
    with pytest.raises(
        BundleError, match="release #2 cannot be restored: s3://.* missing"
    ) as refused:
        rollback_target.fetch_bundle(Target(account, _STAGING), chosen)
    title, fourth, first, *_ = refused.value.hint.splitlines()
    assert title == "Choose one with --to:"
    assert fourth.startswith("     #4  ") and first.startswith("     #1  ")


@pytest.mark.parametrize(
    ("live", "number", "outcome", "done"),
    [
        ("1", 1, "succeeded", True),
        ("1", 2, "succeeded", False),
        ("3", 1, "succeeded", False),  # a person moved live since
        ("1", 1, "failed", False),
        ("1", 1, "interrupted", False),
    ],
)
def test_a_rollback_that_came_to_its_end_is_not_done_again(
    account: Aws, live: str, number: int, outcome: ledger.Outcome, done: bool
) -> None:
    _history(account, *ABC, _rollback("a", "1", 1, outcome))
    found = rollback_target.is_done(Ledger(Target(account, _STAGING)), Live(live, (), "r"), number)
    assert (found is not None) is done


@pytest.mark.parametrize(
    ("number", "pending", "is_finished"),
    [(None, ("terraform",), True), (1, ("terraform",), True), (2, ("terraform",), False)]
    + [(None, (), False)],
)
def test_what_is_pending_of_a_rollback_is_finished_before_another_begins(
    number: int | None, pending: tuple[ledger.Pending, ...], is_finished: bool
) -> None:
    """The same command does so, and does not go back any further; another number does."""
    rollback = replace(_rollback("a", "1", 1), pending=pending)
    assert rollback_target.unfinished(rollback, number) == (rollback if is_finished else None)
    assert rollback_target.unfinished(None, number) is None


def test_what_an_interrupted_rollback_left_does_not_come_back(account: Aws) -> None:
    """It was bad, though the rollback did not end, and another deployment came after it."""
    died = _rollback("b", "2", 2, "interrupted")
    _history(account, *ABC, died, _deploy("d", "4"), quarantined="c")
    assert _chosen(account, "4") == (5, 2)


def test_a_release_of_settings_alone_is_left_for_the_version_before(account: Aws) -> None:
    """If it is requested by number. If that version is gone, so are its settings."""
    manifest_id = _MANIFEST.id
    _history(account, _deploy(manifest_id, "1"), _deploy(manifest_id, "2"))
    assert _chosen(account, "2", 1) == (2, 1)
    with pytest.raises(ReleaseUnusableError, match="no release before #2"):
        _chosen(account, "2")
    chosen = rollback_target.choose(Target(account, _STAGING), Live("2", (), "r"), 1)
    with pytest.raises(ReleaseUnusableError, match="v1 was deleted"):
        rollback_target.preflight(Target(account, _STAGING), chosen, Bundle(_MANIFEST, b"", b""))


def test_a_runtime_that_takes_no_updates_is_reported_before_anything_is_touched(
    account: Aws,
) -> None:
    _history(account, *ABC)
    chosen = rollback_target.choose(Target(account, _STAGING), Live("3", (), "r"))
    old = Bundle(replace(_MANIFEST, runtime="python3.9"), b"", b"")
    with pytest.raises(ReleaseUnusableError, match="no more updates of functions on python3.9"):
        rollback_target.preflight(Target(account, _STAGING), chosen, old)


@pytest.mark.parametrize("both", [True, False])
def test_a_database_that_is_down_for_both_versions_is_named_before_traffic_moves(
    account: Aws, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, both: bool
) -> None:
    down = Health("503", 1, database_down=True)
    _history(account, *ABC)
    chosen = rollback_target.choose(Target(account, _STAGING), Live("3", (), "r"))
    monkeypatch.setattr(rollback_target, "_is_published", lambda *_: True)
    monkeypatch.setattr(invoke, "wake", lambda *_: None)
    monkeypatch.setattr(invoke, "warm", lambda *_: down)
    monkeypatch.setattr(invoke, "get_health", lambda *_: down if both else Health("200", 1))
    monkeypatch.setattr(invoke, "require_health", lambda *_, **__: None)
    rollback_target.preflight(Target(account, _STAGING), chosen, Bundle(_MANIFEST, b"", b""))
    assert ("this rollback does not help" in caplog.text) is both


@pytest.mark.parametrize(
    ("live", "later", "expected"),
    [
        ("2", [], "2"),
        ("9", [], "9"),  # a person
        ("3", [_deploy("c", None, "interrupted")], "2"),
        ("3", [_deploy("c", "3", "failed")], "3"),  # it went back; then a person
        ("3", [_deploy("c", None, "interrupted"), _deploy("d", None, "failed")], "2"),
        ("3", [_deploy("c", None, "interrupted"), _rollback("b", "2", 2, "failed")], "2"),
        ("1", [_rollback("a", "1", 1, "interrupted")], "1"),
        ("1", [_deploy("c", None, "interrupted"), _rollback("a", "1", 1, "interrupted")], "1"),
    ],
)
def test_what_did_not_prove_itself_does_not_go_on_serving(
    live: str, later: list[Release], expected: str
) -> None:
    """After a deployment that died what the ledger says serves; else where live is."""
    releases = [*reversed(later), *reversed(ABC[:2])]
    assert rollback_target.where_live_belongs(releases, Live(live, (), "r")) == expected


@pytest.mark.parametrize(
    ("outcome", "created", "now", "expected"),
    [
        ("interrupted", "10:01", "11:00", True),
        ("interrupted", "10:01", "10:20", False),  # it may still be at work
        ("interrupted", "09:59", "11:00", False),  # it was there before
        ("interrupted", "10:30", "12:00", False),  # somebody took it later
        ("failed", "10:01", "11:00", False),
        ("under way", "10:01", "11:00", False),
    ],
)
def test_a_lock_is_left_over_if_its_release_died_long_ago(
    outcome: ledger.Outcome, created: str, now: str, expected: bool
) -> None:
    died = replace(
        _deploy("c", None, outcome),
        began="2026-11-24T10:00:00.000+00:00",
        ended="2026-11-24T10:25:00.000+00:00",
    )
    earlier = replace(ABC[0], began="2026-11-24T08:00:00.000+00:00")
    moments = [
        datetime.fromisoformat(f"2026-11-24T{each}").replace(tzinfo=UTC) for each in (created, now)
    ]
    assert state_lock.is_left_over(moments[0], [died, earlier], moments[1]) is expected


def test_settings_that_differ_are_named_without_their_values() -> None:
    """Code, layers, and what every version has of its own are none."""

    def version(number: str, memory: int, **variables: str) -> dict[str, Any]:
        own = {"Version": number, "RevisionId": number, "CodeSha256": number, "Layers": [number]}
        return own | {"MemorySize": memory, "Environment": {"Variables": variables}, "Timeout": 10}

    text = configuration.differences(
        version("1", 256, A="x", B="y"), version("2", 512, A="z", B="y")
    )
    assert text == ["Environment.Variables.A", "MemorySize"]


def test_a_rollback_without_a_number_names_what_it_passes_over(account: Aws) -> None:
    """The reason of each: it failed, it is in quarantine, or it is the bundle that serves."""
    later = (_deploy("d", "4", "failed"), _deploy("c", "5"), _deploy("c", "6"))
    _history(account, *ABC[:2], *later, quarantined="b")
    target = Target(account, _STAGING)
    chosen = rollback_target.choose(target, Live("6", (), "r"))
    assert (chosen.current.number, chosen.release.number) == (5, 1)
    assert rollback_target.passed_over(target, chosen) == [
        "#4 (the bundle that serves)",
        "#3 (failed)",
        "#2 (in quarantine)",
    ]
    nearest = rollback_target.choose(target, Live("6", (), "r"), 2)
    assert len(rollback_target.passed_over(target, nearest)) == 2
