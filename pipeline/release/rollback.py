"""A rollback: traffic first, at once, then Terraform, then the record."""

from __future__ import annotations

from dataclasses import replace

from pipeline.aws import Aws
from pipeline.bundle.manifest import Bundle
from pipeline.config import LIVE
from pipeline.errors import describe
from pipeline.release import ledger, publish, quarantine, state_lock
from pipeline.release.context import Facts
from pipeline.release.ledger import Ledger, Release
from pipeline.release.publish import Published
from pipeline.release.target import Way
from pipeline.signals import uninterrupted
from pipeline.terraform import runner
from pipeline.terraform.plan import Verdict, judge
from pipeline.traffic import api_url, invoke, provisioned_concurrency, smoke
from pipeline.traffic.alias import Switch


class Rollback:
    """One rollback, from the moment that it is proved to be possible."""

    def __init__(
        self,
        account: Aws,
        way: Way,
        bundle: Bundle,
        allowed: tuple[str, ...],
        facts: Facts,
        switch: Switch,
    ) -> None:
        self._account = account
        self._way = way
        self._bundle = bundle
        self._allowed = allowed
        self._facts = facts
        self._switch = switch
        self._ledger = Ledger(account, facts.environment)

    def run(self, version: str | None, newest: Release) -> Release:
        """Restore the release, as `version` or published anew, and record how that ended."""
        self._release = ledger.next_release(
            newest,
            "rollback",
            self._bundle.manifest,
            reason=self._facts.reason,
            restores=self._way.target.number,
            version=version,
        )
        self._ledger.begin(self._release)
        try:
            release = self._restore(version)
        except BaseException as problem:
            with uninterrupted():
                self._record(replace(self._release, outcome="failed", error=describe(problem)))
            raise
        with uninterrupted():
            return self._record(replace(release, outcome="succeeded"))

    def _restore(self, version: str | None) -> Release:
        functions, name = self._account.functions, self._facts.environment.function_name
        self._switch.provisioned = provisioned_concurrency.is_moving(
            functions, name, self._switch.before
        )
        # What is left may hang when it is called: going back does not wait for it.
        health_before = invoke.look_at_health_meanwhile(functions, name, LIVE)
        if version:
            self._move_live(version)
        verdict, published = self._make_terraform_agree()
        if version is None:
            version = published.version
            smoke.run(self._account, self._facts.environment, version, verdict)
            self._move_live(version)
        with self._facts.timeline.phase(
            "check", f"{LIVE} and the API, and that it stayed at {version}"
        ):
            self._facts.health_before = health_before.result()
            self._facts.health_after = invoke.call_health(
                functions, name, LIVE, no_worse_than=self._facts.health_before
            )
            for url in published.urls:
                self._facts.health_of_api = api_url.require_answer(
                    url,
                    lambda: invoke.look_at_health(functions, name, LIVE),
                    api_url.patience_s(verdict),
                )
            self._switch.to(version)
        return replace(self._release, version=version, plan_sha256=verdict.sha256)

    def _move_live(self, version: str) -> None:
        doing = f"{LIVE} to version {version}: traffic is restored"
        with self._facts.timeline.phase("switch", doing):
            self._switch.back_to(version)
        # At once: whatever comes of the rest, nobody shall deploy it again unasked.
        if self._way.leaves_bundle:
            quarantine.put(
                self._account, self._facts.environment, self._way.left.bundle, self._release
            )

    def _make_terraform_agree(self) -> tuple[Verdict, Published]:
        """Apply the restored bundle, so that the next plan is empty.

        Returns what the plan did, and what was published last.
        """
        environment = self._facts.environment
        with runner.workspace(runner.service_stack(environment)) as tf:
            with self._facts.timeline.phase("plan", f"terraform plan of {environment.name}"):
                plan = state_lock.plan(tf, self._account, environment, self._bundle.manifest)
                verdict = judge(plan.document)
                self._facts.verdict = verdict
            verdict.refuse_destruction(self._allowed)
            with self._facts.timeline.phase("apply", "exactly that plan"):
                self._switch.provisioned = provisioned_concurrency.is_there(plan.document)
                # Lambda refuses a change of provisioned concurrency while it moves it.
                self._switch.wait()
                published = publish.apply(
                    self._account, environment, tf, plan, self._bundle.manifest
                )
                self._switch.provisioned = provisioned_concurrency.is_planned(plan.document)
        return verdict, published

    def _record(self, release: Release) -> Release:
        ended = replace(release, ended=ledger.now(), phases=tuple(self._facts.timeline.phases))
        self._ledger.end(ended)
        self._facts.release = ended
        return ended
