"""A rollback's traffic: live goes back at once, and only AWS is called until it has.

What has to follow is in `follow_up`. Only where the version is gone does Terraform come first: it
publishes the bundle again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pipeline import labels
from pipeline.bundle.manifest import Bundle
from pipeline.config import LIVE
from pipeline.errors import AttestationError, describe
from pipeline.release import attestation, follow_up, ledger, publish, quarantine
from pipeline.release.context import ReleaseContext
from pipeline.release.ledger import Ledger, Pending, Release
from pipeline.release.rollback_target import RollbackTarget
from pipeline.signals import deferred_signals
from pipeline.traffic import invoke, provisioned_concurrency, smoke
from pipeline.traffic.alias import AliasSwitch
from pipeline.traffic.invoke import Health

log = logging.getLogger(__name__)


class Rollback:
    """One rollback, from the moment that it is proved to be possible, until traffic is back."""

    def __init__(
        self,
        chosen: RollbackTarget,
        bundle: Bundle,
        context: ReleaseContext,
        switch: AliasSwitch,
    ) -> None:
        self._target = context.target
        self._chosen = chosen
        self._bundle = bundle
        self._context = context
        self._switch = switch
        self._ledger = Ledger(context.target)

    def move_traffic(self, version: str, *, attest: bool) -> Release:
        """Move live to a version that is still published; return the release, with what follows.

        With `attest`, the attestations are to be verified again, once traffic is back.
        """

        def restore(release: Release) -> Release:
            health_before = self._start_health_check()
            self._move_live(version, release)
            self._check(version, health_before)
            pending: tuple[Pending, ...] = ("attestation", "terraform")
            return replace(release, pending=pending if attest else pending[1:])

        return self._recorded(version, restore)

    def publish(self, allowed: tuple[str, ...], *, attest: bool) -> Release:
        """Let Terraform publish the bundle again, and move live to that version.

        With `attest`, the attestations are verified first, for this is code that runs nowhere yet.
        """

        def restore(release: Release) -> Release:
            if attest:
                self._verify()
            health_before = self._start_health_check()
            published = follow_up.apply(self._context, self._bundle, self._switch, allowed)
            planned = self._context.planned
            assert planned
            smoke.run(
                self._target,
                published.version,
                role_changed=planned.touches("aws_iam_role"),
                serving=self._switch.before.version if self._switch.before else None,
            )
            self._move_live(published.version, release)
            self._check(published.version, health_before)
            publish.call_api(self._context, published)
            self._switch.promote(published.version)
            return replace(release, version=published.version, plan_sha256=planned.sha256)

        return self._recorded(None, restore)

    def _recorded(self, version: str | None, restore: Callable[[Release], Release]) -> Release:
        """Restore a release, and record how that ended, whatever happens."""
        release = ledger.next_release(
            self._chosen.newest,
            "rollback",
            self._bundle.manifest,
            reason=self._context.reason,
            restores=self._chosen.release.number,
            version=version,
            attested=self._chosen.release.attested,
            subject=self._chosen.release.subject,
        )
        self._ledger.begin(release)
        try:
            self._switch.provisioned = provisioned_concurrency.is_moving(
                self._target.function, self._switch.before
            )
            restored = restore(release)
        except BaseException as problem:
            with deferred_signals():
                self._record(replace(release, outcome="failed", error=describe(problem)))
            raise
        with deferred_signals():
            return self._record(replace(restored, outcome="succeeded"))

    def _verify(self) -> None:
        """Verify the attestations. If that cannot be done, the record in the ledger is enough."""
        with self._context.timeline.phase("verify", "the attestations of the packages"):
            try:
                attestation.verify(self._bundle)
            except AttestationError:
                if not self._chosen.release.attested:
                    raise

    def _start_health_check(self) -> Future[Health]:
        # What is left may hang when it is called: going back does not wait for it.
        return invoke.start_health_check(self._target.function, LIVE)

    def _move_live(self, version: str, release: Release) -> None:
        with self._context.timeline.phase("switch", f"{LIVE} to {labels.version(version)}"):
            self._switch.restore(version)
        log.info("         traffic is restored; the checks and Terraform follow")
        # At once: whatever follows, no merge deploys it again.
        if self._chosen.leaves_bundle:
            quarantine.add(self._target, self._chosen.current.bundle, release)
        # A person has decided that it serves, with a reason.
        if self._context.quarantined:
            quarantine.lift(self._target, self._bundle.id)

    def _check(self, version: str, health_before: Future[Health]) -> None:
        with self._context.timeline.phase("check", f"{LIVE}, at {labels.version(version)}"):
            self._context.health_before = health_before.result()
            self._context.health_after = invoke.require_health(
                self._target.function, LIVE, no_worse_than=self._context.health_before
            )

    def _record(self, release: Release) -> Release:
        ended = replace(release, ended=ledger.now(), phases=tuple(self._context.timeline.phases))
        self._ledger.end(ended)
        self._context.release = ended
        return ended
