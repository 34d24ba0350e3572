"""What is known of an environment without running Terraform: a few calls of AWS, all of them reads.

The environment's plan role may make each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from pipeline.aws import absent_if
from pipeline.bundle import store
from pipeline.config import Environment
from pipeline.errors import ReleaseUnusableError
from pipeline.release import quarantine, rollback_target, serving, state_lock
from pipeline.release.ledger import Release
from pipeline.release.lease import Lease, Sign
from pipeline.release.serving import Serving
from pipeline.release.state_lock import Lock
from pipeline.terraform import applied
from pipeline.terraform.applied import Applied
from pipeline.traffic import alarms, alias, api_url, configuration, invoke
from pipeline.traffic.invoke import Health
from pipeline.target import DeployedFunction, Target


@dataclass(frozen=True)
class Version:
    """A published version, or the function itself ($LATEST): its code, its layers, its settings.

    `layers` are the digests of their content: the same content can have several ARNs.
    """

    code_sha256: str
    layers: tuple[str | None, ...]
    configuration: Mapping[str, Any]

    def differences(self, other: Version) -> list[str]:
        """Name what two versions do not share: code, layers, settings, without any value."""
        names = configuration.differences(self.configuration, other.configuration)
        if self.layers != other.layers:
            names.insert(0, "Layers")
        return ["code", *names] if self.code_sha256 != other.code_sha256 else names


@dataclass(frozen=True)
class Observation:
    """What is known of an environment at a moment.

    `sign` is the last sign of life of the newest release; `latest` the function itself, `live` the
    version that live points to, `published` the one that Terraform `applied` last (None if it was
    deleted); `lock` that of the state; `quarantined` why the bundle of the release that serves is
    in quarantine, and `missing` what is wrong with it in the store; `restorable` the release that a
    rollback without a number restores, and `unrestorable` what is wrong with that one's bundle.
    """

    environment: Environment
    moment: datetime
    serving: Serving
    sign: Sign | None
    latest: Version | None
    live: Version | None
    applied: Applied | None
    published: Version | None
    lock: Lock | None
    quarantined: str | None
    missing: str | None
    restorable: Release | None
    unrestorable: str | None


@dataclass(frozen=True)
class Callers:
    """What callers meet: how the API's own URL answers, and which alarms of the stack fire."""

    url: str | None
    health: Health | None
    body: str
    alarms: tuple[str, ...]


def observe(target: Target) -> Observation:
    """Read the state of an environment. Changes nothing."""
    function = target.function
    live = alias.read(function)
    found = serving.of(target, live)
    last = applied.read(target.aws, target.environment.state_key)
    digest = cache(lambda arn: invoke.layer_digest(function.client, arn))
    version = cache(lambda qualifier: _version(function, qualifier, digest))
    bundle = found.release.bundle if found.release else None
    restorable = _restorable(target, found)
    return Observation(
        environment=target.environment,
        moment=datetime.now(UTC),
        serving=found,
        sign=Lease(target).last_sign(),
        latest=version("$LATEST"),
        live=version(live.version) if live else None,
        applied=last,
        published=version(last.version) if last and last.version else None,
        lock=state_lock.read(target),
        quarantined=quarantine.reason(target, bundle) if bundle else None,
        missing=store.problem(target.aws, bundle) if bundle else None,
        restorable=restorable,
        unrestorable=store.problem(target.aws, restorable.bundle) if restorable else None,
    )


def look_at_callers(target: Target, observation: Observation) -> Callers:
    """Call the API as callers do, and look which alarms fire."""
    url = observation.applied.api_url if observation.applied else None
    health, body = api_url.get_health(url) if url else (None, "")
    states = alarms.of_stack(target)
    firing = sorted(name for name, state in states.items() if state == "ALARM")
    return Callers(url, health, body, tuple(firing))


def _restorable(target: Target, found: Serving) -> Release | None:
    try:
        return rollback_target.choose_from(target, found).release
    except ReleaseUnusableError:
        return None


def _version(
    function: DeployedFunction, qualifier: str, digest: Callable[[str], str | None]
) -> Version | None:
    found = absent_if(
        "ResourceNotFoundException",
        lambda: function.client.get_function(FunctionName=function.name, Qualifier=qualifier),
    )
    if found is None:
        return None
    current = found["Configuration"]
    layers = tuple(digest(layer["Arn"]) for layer in current.get("Layers", []))
    return Version(current["CodeSha256"], layers, current)
