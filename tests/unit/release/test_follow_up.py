"""What follows a rollback: each part is tried, nothing is taken back, the rest stays pending."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline.aws import Aws
from pipeline.bundle.manifest import Bundle, Manifest, Package
from pipeline.config import Environment
from pipeline.errors import AttestationError, PipelineError, TerraformError
from pipeline.release import attestation, follow_up, ledger
from pipeline.release.context import ReleaseContext
from pipeline.release.ledger import Ledger, Release
from pipeline.release.rollback import Rollback
from pipeline.release.rollback_target import RollbackTarget
from pipeline.terraform.plan import PlannedChanges
from pipeline.traffic.alias import Live, AliasSwitch
from pipeline.target import DeployedFunction, Target

_STAGING = Environment("staging")
_PACKAGE = Package("x.zip", 1, "00" * 32, ())
_MANIFEST = Manifest(
    *(_PACKAGE, _PACKAGE, "lock", "a.b", "python3.13", "x86_64", "c0ffee", "recipe"), {}
)
_BUNDLE = Bundle(_MANIFEST, b"", b"")

type Part = Callable[..., None]


def _context(account: Aws) -> ReleaseContext:
    return ReleaseContext(
        "rollback",
        Target(account, _STAGING),
        "ada",
        None,
        planned=PlannedChanges((), (), "digest", "effects"),
    )


def _restored(account: Aws) -> Release:
    """Record a rollback whose traffic is back."""
    records = Ledger(Target(account, _STAGING))
    begun = ledger.next_release(None, "rollback", _MANIFEST, reason=None, restores=1, version="1")
    records.begin(begun)
    restored = replace(begun, outcome="succeeded", pending=("attestation", "terraform"))
    records.end(restored)
    return restored


def _fails(problem: PipelineError) -> Part:
    def part(*_: object) -> None:
        raise problem

    return part


def _works(*_: object) -> None:
    pass


_NO_SIGSTORE = AttestationError("no sigstore", "Try again.")
_NO_TERRAFORM = TerraformError("no terraform", "Install it.")


@pytest.mark.parametrize(
    ("verify", "terraform", "refusal"),
    [
        (_fails(_NO_SIGSTORE), _works, "no sigstore"),
        (_works, _fails(_NO_TERRAFORM), "no terraform"),
        (_fails(_NO_SIGSTORE), _fails(_NO_TERRAFORM), "no sigstore\nno terraform"),
    ],
)
def test_what_failed_is_named_and_all_that_is_pending_is_tried_again(
    account: Aws, monkeypatch: pytest.MonkeyPatch, verify: Part, terraform: Part, refusal: str
) -> None:
    """One part that fails keeps no other from being done."""
    release, records = _restored(account), Ledger(Target(account, _STAGING))
    monkeypatch.setattr(attestation, "verify", verify)
    monkeypatch.setattr(follow_up, "_let_terraform_follow", terraform)
    with pytest.raises(PipelineError) as caught:
        follow_up.follow(_context(account), _BUNDLE, release, ())
    assert caught.value.message == refusal
    assert records.newest() == release

    monkeypatch.setattr(attestation, "verify", _works)
    monkeypatch.setattr(follow_up, "_let_terraform_follow", _works)
    followed = follow_up.follow(_context(account), _BUNDLE, release, ())
    assert records.newest() == followed
    assert (followed.pending, followed.attested, followed.plan_sha256) == ((), True, "digest")


@pytest.mark.parametrize(("attested", "is_refused"), [(True, False), (False, True)])
def test_what_is_published_again_was_attested_or_is_verified_first(
    account: Aws, monkeypatch: pytest.MonkeyPatch, attested: bool, is_refused: bool
) -> None:
    """Where Sigstore is out of reach the ledger's word is enough; without it nothing is applied."""
    applied: list[str] = []

    def apply(*_: object) -> None:
        applied.append("applied")
        raise _NO_TERRAFORM

    monkeypatch.setattr(attestation, "verify", _fails(_NO_SIGSTORE))
    monkeypatch.setattr(follow_up, "apply", apply)
    target = replace(_restored(account), pending=(), attested=attested)
    monkeypatch.setattr("pipeline.traffic.alias.read", lambda *_: Live("2", (), "r"))
    rollback = Rollback(
        RollbackTarget(target, target, target),
        _BUNDLE,
        _context(account),
        AliasSwitch(DeployedFunction(account.functions, _STAGING.function_name)),
    )
    with pytest.raises(AttestationError if is_refused else TerraformError):
        rollback.publish((), attest=True)
    assert bool(applied) is not is_refused
