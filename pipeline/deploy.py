"""deploy: take a bundle to an environment, and move live to it when it has proved itself."""

from __future__ import annotations

from dataclasses import replace

import click

from pipeline import (
    aws,
    checks,
    github,
    inspection,
    job,
    ledger,
    output,
    quarantine,
    store,
    terraform,
)
from pipeline.aws import Aws
from pipeline.bundle import Bundle
from pipeline.environment import LIVE, Environment, environment_option
from pipeline.errors import CheckFailed, PlanChanged, UsageError, describe
from pipeline.judge import Verdict, judge
from pipeline.ledger import Ledger, Release
from pipeline.plan import allow_destroy_option, bundle_option, in_words
from pipeline.summary import Facts
from pipeline.terraform import SavedPlan, Terraform
from pipeline.timeline import Timeline
from pipeline.traffic import Live, Switch


@click.command("deploy")
@environment_option
@bundle_option
@allow_destroy_option
@click.option("--reason", help="Why, for the ledger.")
@click.option(
    "--release-from-quarantine",
    "from_quarantine",
    is_flag=True,
    help="Deploy a bundle that was rolled back before. Needs --reason.",
)
@click.option(
    "--expect-plan",
    "approved_plan",
    metavar="SHA256",
    help="Digest of the plan that was approved: apply no other one.",
)
def command(
    environment: Environment,
    reference: str,
    allowed: tuple[str, ...],
    reason: str | None,
    from_quarantine: bool,
    approved_plan: str | None,
) -> None:
    """Take a bundle to an environment."""
    if from_quarantine and not reason:
        raise UsageError("--release-from-quarantine needs --reason", "Say why it is good now.")
    account = aws.connect()
    with job.summarised("deploy", account, environment, reason) as facts:
        with facts.timeline.phase("inspect", f"the bundle {reference}"):
            bundle = store.load(account, reference)
            facts.manifest = bundle.manifest
            inspection.require_clean(bundle)
        if not from_quarantine:
            quarantine.refuse(account, environment, bundle.id)
        with facts.timeline.phase("store", f"bundle {bundle.id[:12]}, once and for all"):
            store.put(account, bundle)
        with terraform.workspace(environment) as tf:
            with facts.timeline.phase("plan", f"terraform plan of {environment.name}"):
                plan = tf.plan(account, bundle.manifest)
                facts.verdict = judge(plan.document)
                facts.serving = Ledger(account, environment).serving()
            for line in in_words(facts.verdict):
                output.say(line)
            facts.verdict.refuse_destruction(allowed)
            _refuse_another_plan(facts.verdict, approved_plan)
            release = _Deployment(account, bundle, tf, facts).run(plan, facts.verdict)
        if release and from_quarantine:
            quarantine.release(account, environment, bundle.id)
    _tell(environment, bundle, facts.timeline, release)


def _refuse_another_plan(verdict: Verdict, approved: str | None) -> None:
    """Raise PlanChanged if a plan was approved, and this is not it."""
    if approved is not None and verdict.sha256 != approved:
        raise PlanChanged(
            f"the plan is not the one that was approved: its sha256 is {verdict.sha256}, "
            f"approved was {approved}; nothing was applied",
            "Look at the new plan, and approve it: start the workflow anew.",
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

    def __init__(self, account: Aws, bundle: Bundle, tf: Terraform, facts: Facts) -> None:
        self._account = account
        self._name = facts.environment.function_name
        self._bundle = bundle
        self._terraform = tf
        self._facts = facts
        self._timeline = facts.timeline
        self._ledger = Ledger(account, facts.environment)
        self._switch = Switch(account.functions, self._name)

    def run(self, plan: SavedPlan, verdict: Verdict) -> Release | None:
        """Do it and return the release, or None if there was nothing to do."""
        if verdict.empty and self._is_served(self._facts.serving, self._switch.before):
            return None
        release = ledger.next_release(
            self._ledger.newest(), "deploy", self._bundle.manifest, reason=self._facts.reason
        )
        release = replace(release, plan_sha256=verdict.sha256)
        self._ledger.begin(release)
        try:
            version = self._publish(plan, verdict)
            with self._timeline.phase("call", f"version {version}, by its number"):
                checks.call_health(self._account.functions, self._name, version)
            with self._timeline.phase("switch", f"{LIVE} to version {version}"):
                self._move_live(version)
            release = replace(release, version=version)
            return self._record(release, "succeeded")
        except BaseException as problem:
            self._go_back(release, problem)
            raise

    def _is_served(self, serving: Release | None, live: Live | None) -> bool:
        return (
            serving is not None
            and live is not None
            and serving.bundle == self._bundle.id
            and (live.version, live.weights) == (serving.version, ())
        )

    def _publish(self, plan: SavedPlan, verdict: Verdict) -> str:
        """Apply the plan, which moves no traffic, and return the version to be served."""
        functions = self._account.functions
        with self._timeline.phase("apply", "exactly that plan"):
            if not verdict.empty:
                if self._switch.before:
                    aws.wait_until_updated(functions, self._name)
                self._terraform.apply(plan)
            version = str(self._terraform.outputs()["function_version"])
            aws.wait_until_updated(functions, self._name)
            aws.wait_until_active(functions, self._name, version)
        published = functions.get_function_configuration(FunctionName=self._name, Qualifier=version)
        wanted = self._bundle.manifest.function.sha256_base64
        if published["CodeSha256"] != wanted:
            raise CheckFailed(
                f"version {version} has code {published['CodeSha256']}, the bundle has {wanted}",
                "Somebody else changed the function meanwhile. Find out who, and deploy again.",
            )
        return version

    def _move_live(self, version: str) -> None:
        """Switch all traffic, and see how live answers before and after it."""
        functions = self._account.functions
        self._facts.health_before = (
            checks.look_at_health(functions, self._name, LIVE)
            if self._switch.before
            else checks.NOTHING_SERVED
        )
        self._switch.to(version)
        self._facts.health_after = checks.call_health(functions, self._name, LIVE)

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

    def _go_back(self, release: Release, problem: BaseException) -> None:
        """Put live back where it was, and record why."""
        way = (
            "live goes back to where it was" if self._switch.before else "nothing served before it"
        )
        output.say(f"release {release.number} failed; {way}", "yellow")
        try:
            self._switch.undo()
        finally:
            self._record(release, "failed", error=describe(problem))
