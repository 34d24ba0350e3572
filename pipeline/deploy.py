"""deploy: take a bundle to an environment, and move live to it when it has proved itself."""

from __future__ import annotations

from dataclasses import replace

import click
from click.core import ParameterSource
from botocore.exceptions import BotoCoreError, ClientError

from pipeline import (
    aftermath,
    api,
    aws,
    checks,
    drift,
    github,
    inspection,
    job,
    ledger,
    locks,
    marks,
    output,
    promotion,
    provisioned,
    publish,
    quarantine,
    restore,
    smoke,
    store,
    terraform,
    traffic,
)
from pipeline.aws import Aws
from pipeline.bundle import Bundle
from pipeline.canary import Canary
from pipeline.environment import LIVE, Environment, EnvironmentName, environment_option
from pipeline.errors import LostRace, PlanChanged, UsageError, describe
from pipeline.examples import examples
from pipeline.judge import Verdict, judge
from pipeline.ledger import Ledger, Release
from pipeline.plan import allow_destroy_option, bundle_option, in_words
from pipeline.publish import Published
from pipeline.stopping import uninterrupted
from pipeline.summary import Facts
from pipeline.terraform import SavedPlan, Terraform
from pipeline.timeline import Timeline
from pipeline.traffic import Switch


@click.command(
    "deploy",
    epilog=examples(
        "deploy --environment staging",
        "deploy --environment production --from staging",
        "deploy --environment staging --bundle b5a98a1 --all-at-once",
    ),
)
@environment_option
@bundle_option
@click.option(
    "--from",
    "origin",
    type=EnvironmentName(),
    help="Take the bundle that this environment serves, instead of --bundle.",
)
@allow_destroy_option
@click.option("--reason", help="Why, for the ledger.")
@click.option(
    "--release-from-quarantine",
    "from_quarantine",
    is_flag=True,
    help="Deploy a bundle that was rolled back before. Needs --reason.",
)
@click.option(
    "--unproved",
    is_flag=True,
    help="Deploy a bundle that did not serve in the environment before. Needs --reason.",
)
@click.option(
    "--all-at-once",
    is_flag=True,
    help="Move all traffic after the first calls, without a canary.",
)
@click.option(
    "--expect-plan",
    "approved_plan",
    metavar="SHA256",
    help="Digest of the plan that was approved: apply no other one.",
)
@aftermath.untouched("nothing was done")
def command(
    environment: Environment,
    reference: str,
    origin: str | None,
    allowed: tuple[str, ...],
    reason: str | None,
    from_quarantine: bool,
    unproved: bool,
    all_at_once: bool,
    approved_plan: str | None,
) -> None:
    """Take a bundle to an environment."""
    for option, given in (
        ("--release-from-quarantine", from_quarantine),
        ("--unproved", unproved),
    ):
        if given and not reason:
            raise UsageError(f"{option} needs --reason", "Say why it is good.")
    source = click.get_current_context().get_parameter_source("reference")
    if origin and source is not ParameterSource.DEFAULT:
        raise UsageError("--from and --bundle both say what to deploy", "Give one of them.")
    steps = environment.steps()
    account = aws.connect()
    with job.summarised("deploy", account, environment, reason) as facts:
        if origin:
            reference = promotion.served_by(account, Environment(origin))
        with facts.timeline.phase("inspect", f"the bundle {reference}"):
            bundle = store.load(account, reference)
            facts.manifest = bundle.manifest
            inspection.require_clean(bundle)
        if not from_quarantine:
            quarantine.refuse(account, environment, bundle.id)
        if steps.after and not unproved:
            promotion.refuse_unproved(account, environment, steps.after, bundle.id)
        canary = None if all_at_once else Canary(account, environment, steps, facts.timeline)
        with facts.timeline.phase("store", f"bundle {bundle.id[:12]}, once and for all"):
            store.put(account, bundle)
        newest = ledger.close_what_died(account, environment)
        with terraform.workspace(terraform.service_stack(environment)) as tf:
            with facts.timeline.phase("plan", f"terraform plan of {environment.name}"):
                plan = locks.plan(tf, account, environment, bundle.manifest)
                facts.verdict = judge(plan.document)
                facts.serving = Ledger(account, environment).serving()
            for line in in_words(facts.verdict):
                output.say(line)
            facts.verdict.refuse_destruction(allowed)
            percents = (100.0,) if all_at_once else steps.percents
            provisioned.refuse_steps(plan.document, environment, percents)
            _refuse_another_plan(facts.verdict, approved_plan)
            unusual = tuple(
                word
                for word, given in (
                    ("all at once", all_at_once),
                    ("unproved", unproved),
                    ("from quarantine", from_quarantine),
                )
                if given
            )
            release = _Deployment(account, bundle, tf, facts, canary).run(plan, newest, unusual)
        if from_quarantine:
            # Even if there was nothing to do: the command before may have died just here.
            quarantine.release(account, environment, bundle.id)
    _tell(environment, bundle, facts.timeline, release)
    if release:
        marks.put(account, environment, "deploy")


def _refuse_another_plan(verdict: Verdict, approved: str | None) -> None:
    """Raise PlanChanged if a plan was approved, and this is not it."""
    if approved is not None and verdict.sha256 != approved:
        raise PlanChanged(
            f"the plan is not the one that was approved: its sha256 is {verdict.sha256}, "
            f"approved was {approved}; nothing was applied",
            "Look at the new plan, and approve it: re-run all jobs of the workflow.",
        )


def _tell(
    environment: Environment, bundle: Bundle, timeline: Timeline, release: Release | None
) -> None:
    """Tell people and the job's later steps how it ended."""
    github.set_output("released", "true" if release else "false")
    if release is None:
        output.result(f"nothing to do: {environment.name} serves bundle {bundle.id[:12]} already")
        return
    github.set_output("release", str(release.number))
    timeline.show()
    output.result(
        f"release {release.number}: {environment.name} serves bundle {bundle.id[:12]} "
        f"as version {release.version}"
    )


class _Deployment:
    """One deployment from its plan on: whatever fails, live goes back and it is recorded."""

    def __init__(
        self, account: Aws, bundle: Bundle, tf: Terraform, facts: Facts, canary: Canary | None
    ) -> None:
        self._account = account
        self._environment = facts.environment
        self._name = facts.environment.function_name
        self._bundle = bundle
        self._terraform = tf
        self._facts = facts
        self._canary = canary
        self._timeline = facts.timeline
        self._ledger = Ledger(account, facts.environment)
        self._applied = False

    def run(
        self, plan: SavedPlan, newest: Release | None, unusual: tuple[str, ...]
    ) -> Release | None:
        """Do it and return the release, or None if there was nothing to do.

        `newest` is the ledger's newest before the plan: whoever began one since then has won.
        """
        moved_by_lambda = provisioned.is_there(plan.document)
        if moved_by_lambda:
            traffic.wait_until_alone(self._account.functions, self._name)
        if plan.is_empty and self._is_served() and not drift.code_was_changed(plan.document):
            return None
        verdict = judge(plan.document)
        switch = self._facts.switch = Switch(self._account.functions, self._name)
        switch.provisioned = moved_by_lambda
        release = ledger.next_release(
            newest,
            "deploy",
            self._bundle.manifest,
            reason=self._facts.reason,
            unusual=unusual,
        )
        release = replace(release, plan_sha256=verdict.sha256)
        self._ledger.begin(release)
        try:
            self._settle(switch)
            self._applied = True
            with self._timeline.phase("apply", "exactly that plan"):
                published = publish.apply(
                    self._account, self._environment, self._terraform, plan, self._bundle.manifest
                )
            switch.provisioned = provisioned.is_planned(plan.document)
            version = published.version
            release = replace(release, version=version)
            if switch.before and verdict.at_once():
                # Whatever it changed of the API meets the callers already.
                self._call_api(published)
            with self._timeline.phase("smoke", f"version {version}, by its number"):
                smoke.run(self._account, self._environment, version, verdict)
            self._move_live(switch, version)
            self._call_api(published)
        except BaseException as problem:
            with uninterrupted():
                self._go_back(switch, release, problem)
            raise
        # From here on it is released; being told to stop changes nothing any more.
        with uninterrupted():
            return self._record(release, "succeeded")

    def _is_served(self) -> bool:
        serving = self._facts.serving
        live = traffic.read(self._account.functions, self._name)
        return (
            serving is not None
            and live is not None
            and serving.bundle == self._bundle.id
            and live.route == (serving.version, ())
        )

    def _settle(self, switch: Switch) -> None:
        """Take back what a deployment that died, or a person, left of a canary."""
        if switch.before is None:
            return
        version = restore.where_live_belongs(self._ledger.releases(), switch.before)
        if switch.before.route != (version, ()):
            output.say(f"version {version} serves alone again", "yellow")
            switch.settle(version)

    def _move_live(self, switch: Switch, version: str) -> None:
        """Move all traffic, in steps if there is a canary, and see how live answers around it."""
        functions = self._account.functions
        self._facts.health_before = (
            checks.look_at_health(functions, self._name, LIVE)
            if switch.before
            else checks.NOTHING_SERVED
        )
        if self._canary and switch.before and switch.before.version != version:
            self._canary.release(switch, version)
        with self._timeline.phase("switch", f"{LIVE} to version {version}, alone"):
            switch.to(version)
            self._facts.health_after = checks.call_health(functions, self._name, LIVE)

    def _call_api(self, published: Published) -> None:
        """See that callers reach live through the API; raise CheckFailed if not."""
        functions = self._account.functions
        verdict = self._facts.verdict
        assert verdict
        for url in published.urls:
            with self._timeline.phase("call", f"{url}, as callers do"):
                self._facts.health_of_api = api.require_answer(
                    url,
                    lambda: checks.look_at_health(functions, self._name, LIVE),
                    api.patience_s(verdict),
                )

    def _record(
        self, release: Release, outcome: ledger.Outcome, error: str | None = None
    ) -> Release:
        ended = replace(
            release,
            outcome=outcome,
            ended=ledger.now(),
            phases=tuple(self._timeline.phases),
            error=error,
        )
        self._ledger.end(ended)
        self._facts.release = ended
        return ended

    def _go_back(self, switch: Switch, release: Release, problem: BaseException) -> None:
        """Put live back where it was, and record why, whatever else fails."""
        # Terraform makes the alias with the first version, and nothing was there to go back to.
        way = (
            "live goes back to where it was"
            if switch.before
            else f"nothing served before it, and {LIVE} may point to the version that failed"
        )
        output.say(f"release {release.number} failed; {way}", "yellow")
        told = describe(problem) + self._what_stays()
        outcome: ledger.Outcome = "failed"
        try:
            switch.undo()
        except LostRace as race:
            told += f"; {race.what}"
        except (ClientError, BotoCoreError) as failure:
            # As if it had died: the next deployment puts live back.
            outcome = "interrupted"
            told += f"; live is not back where it was: {describe(failure)}"
            output.say(told, "red")
        self._record(release, outcome, error=told)

    def _what_stays(self) -> str:
        """Say what the apply may have changed for all versions, which live's way back leaves."""
        at_once = self._facts.verdict.at_once() if self._facts.verdict and self._applied else []
        if not at_once:
            return ""
        stays = f"what the apply changed for all versions stays: {', '.join(at_once)}"
        output.say(f"{stays}. See RUNBOOK.md: Reality and Terraform differ", "yellow")
        return f"; {stays}"
