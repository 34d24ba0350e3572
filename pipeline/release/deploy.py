"""A deployment: apply the plan, then move live to the new version when it has proved itself."""

from __future__ import annotations

import logging
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from pipeline import commit, labels
from pipeline.bundle.manifest import Bundle
from pipeline.config import LIVE
from pipeline.errors import LostRaceError, describe
from pipeline.release import ledger, publish, rollback_target
from pipeline.release.context import ReleaseContext
from pipeline.release.ledger import Ledger, Release
from pipeline.signals import deferred_signals
from pipeline.terraform.plan import code_was_changed, read_plan
from pipeline.terraform.runner import SavedPlan, Terraform
from pipeline.traffic import alias, invoke, provisioned_concurrency, smoke
from pipeline.traffic.alias import AliasSwitch
from pipeline.traffic.canary import Canary

log = logging.getLogger(__name__)


class Deployment:
    """One deployment from its plan on: whatever fails, live goes back and it is recorded."""

    def __init__(
        self,
        bundle: Bundle,
        tf: Terraform,
        context: ReleaseContext,
        canary: Canary | None,
    ) -> None:
        self._target = context.target
        self._bundle = bundle
        self._terraform = tf
        self._context = context
        self._canary = canary
        self._timeline = context.timeline
        self._ledger = Ledger(context.target)
        self._applied = False

    def run(
        self, plan: SavedPlan, newest: Release | None, overrides: tuple[str, ...]
    ) -> Release | None:
        """Do it and return the release, or None if there was nothing to do.

        `newest` is the ledger's newest before the plan: whoever began one since then has won.
        """
        moved_by_lambda = provisioned_concurrency.is_there(plan.document)
        if moved_by_lambda:
            alias.wait_until_alone(self._target.function)
        if plan.is_empty and self._is_served() and not code_was_changed(plan.document):
            return None
        planned = read_plan(plan.document)
        switch = self._context.switch = AliasSwitch(self._target.function)
        switch.provisioned = moved_by_lambda
        release = ledger.next_release(
            newest,
            "deploy",
            self._bundle.manifest,
            reason=self._context.reason,
            overrides=overrides,
            attested=self._context.attested,
            subject=commit.subject(self._bundle.manifest.commit),
        )
        release = replace(release, plan_sha256=planned.sha256)
        self._ledger.begin(release)
        try:
            self._settle(switch)
            self._applied = True
            with self._timeline.phase("apply", "exactly that plan"):
                published = publish.apply(
                    self._target, self._terraform, plan, self._bundle.manifest
                )
            switch.provisioned = provisioned_concurrency.is_planned(plan.document)
            version = published.version
            release = replace(release, version=version)
            if switch.before and planned.at_once():
                # Whatever it changed of the API meets the callers already.
                publish.call_api(self._context, published)
            with self._timeline.phase("smoke", f"{labels.version(version)}, by its number"):
                smoke.run(
                    self._target,
                    version,
                    role_changed=planned.touches("aws_iam_role"),
                    serving=switch.before.version if switch.before else None,
                )
            self._move_live(switch, version)
            publish.call_api(self._context, published)
        except BaseException as problem:
            with deferred_signals():
                self._go_back(switch, release, problem)
            raise
        # From here on it is released; a signal changes nothing any more.
        with deferred_signals():
            return self._record(release, "succeeded")

    def _is_served(self) -> bool:
        serving = self._context.serving
        live = alias.read(self._target.function)
        return (
            serving is not None
            and live is not None
            and serving.bundle == self._bundle.id
            and live.route == (serving.version, ())
        )

    def _settle(self, switch: AliasSwitch) -> None:
        """Revert what a dead deployment, or a person, left of a canary."""
        if switch.before is None:
            return
        version = rollback_target.where_live_belongs(self._ledger.releases(), switch.before)
        if switch.before.route != (version, ()):
            log.warning(f"{labels.version(version)} serves alone again")
            switch.reset(version)

    def _move_live(self, switch: AliasSwitch, version: str) -> None:
        """Move all traffic, in steps if there is a canary, and see how live answers around it."""
        function = self._target.function
        self._context.health_before = (
            invoke.get_health(function, LIVE) if switch.before else invoke.NOTHING_SERVED
        )
        if self._canary and switch.before and switch.before.version != version:
            self._canary.roll_out(switch, version)
        with self._timeline.phase("switch", f"{LIVE} to {labels.version(version)}, alone"):
            switch.promote(version)
            self._context.health_after = invoke.require_health(
                function, LIVE, other=switch.before.version if switch.before else None
            )

    def _record(
        self, release: Release, result: ledger.Outcome, error: str | None = None
    ) -> Release:
        ended = replace(
            release,
            outcome=result,
            ended=ledger.now(),
            phases=tuple(self._timeline.phases),
            error=error,
        )
        self._ledger.end(ended)
        self._context.release = ended
        return ended

    def _go_back(self, switch: AliasSwitch, release: Release, problem: BaseException) -> None:
        """Put live back where it was, and record why, whatever else fails."""
        # Terraform makes the alias with the first version, and nothing was there to go back to.
        way = (
            "live goes back to where it was"
            if switch.before
            else f"nothing served before it, and {LIVE} may point to the version that failed"
        )
        log.warning(f"release {release.label} failed; {way}")
        text = describe(problem) + self._what_stays()
        result: ledger.Outcome = "failed"
        try:
            switch.revert()
        except LostRaceError as race:
            text += f"; {race.message}"
        except (ClientError, BotoCoreError) as failure:
            # As if it had died: the next deployment puts live back.
            result = "interrupted"
            text += f"; live is not back where it was: {describe(failure)}"
            log.warning(text)
        self._record(release, result, error=text)

    def _what_stays(self) -> str:
        """Report changes of the apply to all versions, which live does not revert."""
        at_once = self._context.planned.at_once() if self._context.planned and self._applied else []
        if not at_once:
            return ""
        stays = f"what the apply changed for all versions stays: {', '.join(at_once)}"
        log.warning(f"{stays}. See docs/runbook.md, AWS and Terraform differ")
        return f"; {stays}"
