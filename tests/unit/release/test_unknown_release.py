"""A release that cannot be restored: the error lists those that can."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.release import ledger, rollback_target
from pipeline.aws import Aws
from pipeline.bundle.manifest import Manifest, Package
from pipeline.config import Environment
from pipeline.errors import ReleaseUnusableError
from pipeline.release.ledger import Ledger
from pipeline.traffic.alias import Live
from pipeline.target import Target

_STAGING = Environment("staging")
_PACKAGE = Package("x.zip", 1, "00" * 32, ())
_MANIFEST = Manifest(
    *(_PACKAGE, _PACKAGE, "lock", "a.b", "python3.13", "x86_64", "c0ffee", "recipe"), {}
)


@pytest.fixture
def released(account: Aws) -> Aws:
    """An account with the releases 1 to 4, of which 3 failed. Release 4 serves."""
    records = Ledger(Target(account, _STAGING))
    outcomes: tuple[ledger.Outcome, ...] = ("succeeded", "succeeded", "failed", "succeeded")
    for number, outcome in enumerate(outcomes, 1):
        release = ledger.next_release(None, "deploy", _MANIFEST, reason=None, version=str(number))
        release = replace(release, number=number, bundle=str(number) * 64, ended=ledger.now())
        release = replace(release, outcome=outcome)
        assert records._create(release, "begin") and records._create(release, "end")
    return account


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (77, "release #77 does not exist: there are #1 to #4"),
        (0, "release #0 does not exist: there are #1 to #4"),
        (3, "release #3 did not succeed (failed), so it cannot be restored"),
        (4, "release #4 serves already, as v4"),
    ],
)
def test_an_unknown_release_is_refused_with_those_there_are(
    released: Aws, number: int, problem: str
) -> None:
    with pytest.raises(ReleaseUnusableError) as refused:
        rollback_target.choose(Target(released, _STAGING), Live("4", (), "r"), number)
    assert refused.value.message == problem
    title, second, first = refused.value.hint.splitlines()
    assert title == "Choose one with --to:"
    assert second.startswith("     #2    v2  ") and f"bundle {'2' * 12}  by " in second
    assert first.startswith("     #1    v1  ") and f"bundle {'1' * 12}  by " in first


def test_a_version_stands_for_the_newest_release_that_succeeded_with_it(released: Aws) -> None:
    staging = Target(released, _STAGING)
    assert rollback_target.number_of(staging, "2") == 2
    for version in ("3", "9"):
        with pytest.raises(ReleaseUnusableError, match=f"that succeeded has v{version}") as refused:
            rollback_target.number_of(staging, version)
        assert refused.value.command == "python -m pipeline releases --environment staging"
