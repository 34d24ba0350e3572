"""rollback: restore an earlier release: traffic first, at once, then Terraform, then the record."""

from __future__ import annotations

from dataclasses import replace

import click

from pipeline import (
    aftermath,
    api,
    aws,
    checks,
    github,
    job,
    ledger,
    locks,
    marks,
    output,
    provisioned,
    publish,
    quarantine,
    restore,
    settings,
    smoke,
    store,
    summary,
    terraform,
)
from pipeline.aws import Aws
from pipeline.bundle import Bundle
from pipeline.environment import LIVE, Environment, environment_option
from pipeline.errors import describe
from pipeline.examples import examples
from pipeline.judge import Verdict, judge
from pipeline.ledger import Ledger, Release
from pipeline.plan import allow_destroy_option, in_words
from pipeline.publish import Published
from pipeline.restore import Way
from pipeline.stopping import uninterrupted
from pipeline.summary import Facts, Verb
from pipeline.traffic import Switch


@click.command(
    "rollback",
    epilog=examples(
        "rollback --environment production --reason 'checkout fails'",
        "rollback --environment production --to 41 --dry-run",
    ),
)
@environment_option
@click.option("--to", "number", type=int, help="Release to restore. Default: the one before.")
@allow_destroy_option
@click.option("--reason", help="Why, for the ledger and for whoever meets the quarantine.")
@click.option("--dry-run", is_flag=True, help="Show what it would do, and change nothing.")
@aftermath.untouched("nothing was done")
def command(
    environment: Environment,
    number: int | None,
    allowed: tuple[str, ...],
    reason: str | None,
    dry_run: bool,
) -> None:
    """Restore an earlier release."""
    account = aws.connect()
    verb: Verb = "dry run" if dry_run else "rollback"
    with job.summarised(verb, account, environment, reason) as facts:
        with facts.timeline.phase("prove", "that the release can be restored"):
            switch = facts.switch = Switch(account.functions, environment.function_name)
            records = Ledger(account, environment)
            done = number and not dry_run and restore.is_done(records, switch.before, number)
            if done:
                facts.manifest = restore.manifest_of(account, done)
                output.result(f"nothing to do: {environment.name} serves release {number} already")
                return
            way = restore.choose(account, environment, switch.before, number)
            facts.serving, facts.restored = way.left, way.target
            bundle = store.fetch(account, way.target.bundle)
            facts.manifest = bundle.manifest
            version = restore.prove(account, environment, way, bundle)
            facts.proved = True
            facts.quarantined = quarantine.why(account, environment, bundle.id)
            if version and switch.before:
                facts.settings = settings.look_at_differences(
                    account.functions, environment.function_name, switch.before.version, version
                )
        if dry_run:
            _show(account, way, bundle, allowed, facts)
            return
        for line in summary.preview(facts, restore.manifest_of(account, way.left)):
            output.say(line)
        newest = way.newest
        if newest.outcome == "under way":
            newest = ledger.close_what_died(account, environment) or newest
        release = _Rollback(account, way, bundle, allowed, facts, switch).run(version, newest)
    facts.timeline.show()
    output.result(
        f"release {release.number}: {environment.name} serves release {way.target.number} again "
        f"(bundle {bundle.id[:12]}, version {release.version}); {summary.what_follows(facts)}"
    )
    github.set_output("release", str(release.number))
    marks.put(account, environment, "rollback")


def _show(account: Aws, way: Way, bundle: Bundle, allowed: tuple[str, ...], facts: Facts) -> None:
    """Show what a rollback would do; raise if Terraform would fail, or be refused, in the end.

    Before it plans it has told the job's later steps that the release can be restored.
    """
    github.set_output("release", str(way.target.number))
    github.set_output("bundle", bundle.id)
    for line in summary.preview(facts, restore.manifest_of(account, way.left)):
        output.result(line)
    with terraform.workspace(terraform.service_stack(facts.environment)) as tf:
        with facts.timeline.phase("plan", f"terraform plan of {facts.environment.name}"):
            variables = terraform.bundle_variables(account, bundle.manifest)
            facts.verdict = judge(tf.plan(account, variables, lock=False).document)
    for line in in_words(facts.verdict):
        output.result(f"terraform {line}")
    facts.verdict.refuse_destruction(allowed)


class _Rollback:
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
        # What is left may hang when it is called: going back does not wait for it.
        health_before = checks.look_at_health_meanwhile(functions, name, LIVE)
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
            self._facts.health_after = checks.call_health(
                functions, name, LIVE, no_worse_than=self._facts.health_before
            )
            for url in published.urls:
                self._facts.health_of_api = api.require_answer(
                    url,
                    lambda: checks.look_at_health(functions, name, LIVE),
                    api.patience_s(verdict),
                )
            self._switch.to(version)
        return replace(self._release, version=version, plan_sha256=verdict.sha256)

    def _move_live(self, version: str) -> None:
        doing = f"{LIVE} to version {version}: traffic is restored"
        with self._facts.timeline.phase("switch", doing):
            self._switch.to(version)
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
        with terraform.workspace(terraform.service_stack(environment)) as tf:
            with self._facts.timeline.phase("plan", f"terraform plan of {environment.name}"):
                plan = locks.plan(tf, self._account, environment, self._bundle.manifest)
                verdict = judge(plan.document)
                self._facts.verdict = verdict
            verdict.refuse_destruction(self._allowed)
            with self._facts.timeline.phase("apply", "exactly that plan"):
                self._switch.provisioned = provisioned.is_there(plan.document)
                # Lambda refuses a change of provisioned concurrency while it moves it.
                self._switch.wait()
                published = publish.apply(
                    self._account, environment, tf, plan, self._bundle.manifest
                )
                self._switch.provisioned = provisioned.is_planned(plan.document)
        return verdict, published

    def _record(self, release: Release) -> Release:
        ended = replace(release, ended=ledger.now(), phases=tuple(self._facts.timeline.phases))
        self._ledger.end(ended)
        self._facts.release = ended
        return ended
