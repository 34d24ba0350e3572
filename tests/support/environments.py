"""Environments as data: releases, what the alias says, and what was observed of the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pipeline.config import Environment
from pipeline.release.ledger import Outcome, Release
from pipeline.release.lease import Sign
from pipeline.release.observation import Observation, Version
from pipeline.release.serving import Serving, explain
from pipeline.terraform.applied import Applied
from pipeline.traffic.alias import Live

STAGING = Environment("staging")
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def deployment(number: int, version: str | None = None, outcome: Outcome = "succeeded") -> Release:
    """Return a deployment; its bundle is of its number's digit, so that each has another one."""
    return Release(
        number=number,
        kind="deploy",
        outcome=outcome,
        bundle=f"{number:x}" * 64,
        version=version,
        restores=None,
        began="2026-11-28T11:00:00.000+00:00",
        ended=None if outcome == "under way" else "2026-11-28T11:01:00.000+00:00",
        actor="ada",
        commit="c0ffee" * 6 + "c0ff",
        run=None,
        reason=None,
        plan_sha256=None,
        error="v9 is worse than v1: errors" if outcome == "failed" else None,
    )


def rollback(number: int, version: str, restores: int, outcome: Outcome = "succeeded") -> Release:
    """Return a rollback to a release, whose bundle it has."""
    deployed = deployment(number, version, outcome)
    return replace(deployed, kind="rollback", restores=restores, bundle=f"{restores:x}" * 64)


def live(version: str, *weights: tuple[str, float]) -> Live:
    """Return where live points."""
    return Live(version, weights, "revision")


def version(code: str = "code", layer: str = "layer", **settings: Any) -> Version:
    """Return a version, with settings by Lambda's names of them."""
    return Version(code, (layer,), {"MemorySize": 256, **settings})


def observed(points_to: Live | None, *releases: Release, **more: Any) -> Observation:
    """Return what is observed of an environment in which all agrees, but for what is given.

    `releases` are the newest first, and nobody is at work unless `sign` says so.
    """
    sign: Sign | None = more.get("sign")
    alive = bool(sign and releases and sign.is_of(releases[0].number))
    found: Serving = explain(points_to, releases, alive=alive)
    there = version() if points_to else None
    agreed = Observation(
        environment=STAGING,
        moment=NOW,
        serving=found,
        sign=None,
        latest=there,
        live=there,
        applied=Applied("1", "code", "https://api.example.com") if there else None,
        published=there,
        lock=None,
        quarantined=None,
        missing=None,
        restorable=None,
        unrestorable=None,
    )
    return replace(agreed, **more)
