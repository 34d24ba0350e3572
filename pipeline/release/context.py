"""What is known of a deployment or a rollback while it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pipeline.bundle.manifest import Manifest
from pipeline.config import Environment
from pipeline.release.ledger import Release
from pipeline.terraform.plan import PlannedChanges
from pipeline.timeline import Timeline
from pipeline.traffic.alias import AliasSwitch
from pipeline.traffic.invoke import Health
from pipeline.target import Target

type Operation = Literal["deploy", "rollback", "follow-up", "dry run"]


@dataclass
class ReleaseContext:
    """What is known of a deployment or a rollback, filled in as it goes on.

    `manifest` is that of the bundle that is to serve, `serving` the release that served before by
    the ledger, `moved` what did instead, in words, if somebody moved live; `restored` the one that
    a rollback goes back to, `switch` what moves live, `proved` whether the release can be restored,
    `release` the one that was recorded, `settings` the names of those that a rollback brings back,
    `quarantined` why the bundle that it brings back is in quarantine, if it is, `attested` whether
    the attestations of the packages were verified, `urls` where callers reach the API.
    """

    operation: Operation
    target: Target
    actor: str
    reason: str | None
    timeline: Timeline = field(default_factory=Timeline)
    manifest: Manifest | None = None
    serving: Release | None = None
    moved: str = ""
    restored: Release | None = None
    switch: AliasSwitch | None = None
    proved: bool = False
    settings: Sequence[str] = ()
    quarantined: str | None = None
    attested: bool = False
    planned: PlannedChanges | None = None
    release: Release | None = None
    health_before: Health | None = None
    health_after: Health | None = None
    health_of_api: Health | None = None
    urls: tuple[str, ...] = ()
    problem: BaseException | None = None

    @property
    def environment(self) -> Environment:
        """The environment of the target."""
        return self.target.environment
