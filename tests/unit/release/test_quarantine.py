"""Which bundles are in quarantine, why, and what a person does about it."""

from __future__ import annotations

from dataclasses import replace

from pipeline.aws import Aws
from pipeline.release import quarantine
from pipeline.target import Target
from tests.support.environments import STAGING, rollback


def test_each_bundle_in_quarantine_is_named_with_who_when_and_why(account: Aws) -> None:
    back = replace(rollback(3, "1", 1), reason="checkout fails")
    quarantine.add(Target(account, STAGING), "b" * 64, back)
    found = quarantine.reasons(Target(account, STAGING), ["a" * 64, "b" * 64, "b" * 64])
    why = "bundle bbbbbbbbbbbb was rolled back in staging by ada at 2026-11-28T11:00:00.000+00:00"
    assert found == {"b" * 64: f"{why}: checkout fails"}
    warning = quarantine.warning(Target(account, STAGING), "b" * 64)
    assert warning and f"-f bundle={'b' * 64} -f release-from-quarantine=true" in warning
    assert quarantine.warning(Target(account, STAGING), "a" * 64) is None
