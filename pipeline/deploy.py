"""deploy: take a bundle to an environment, and move live to it when it has proved itself."""

from __future__ import annotations

from dataclasses import replace

import click

from pipeline import aws, checks, inspection, ledger, output, quarantine, store, terraform
from pipeline.aws import Aws
from pipeline.bundle import Bundle
from pipeline.environment import LIVE, Environment, environment_option
from pipeline.errors import CheckFailed, UsageError, describe
from pipeline.judge import Verdict, judge
from pipeline.ledger import Ledger, Release
from pipeline.plan import allow_destroy_option, bundle_option, in_words
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
def command(
    environment: Environment,
    reference: str,
    allowed: tuple[str, ...],
    reason: str | None,
    from_quarantine: bool,
) -> None:
    """Take a bundle to an environment."""
    if from_quarantine and not reason:
        raise UsageError("--release-from-quarantine needs --reason", "Say why it is good now.")
    account = aws.connect()
    timeline = Timeline()
    with timeline.phase("inspect", f"the bundle {reference}"):
        bundle = store.load(account, reference)
        inspection.require_clean(bundle)
    if not from_quarantine:
        quarantine.refuse(account, environment, bundle.id)
    with timeline.phase("store", f"bundle {bundle.id[:12]}, once and for all"):
        store.put(account, bundle)
    with terraform.workspace(environment) as tf:
        with timeline.phase("plan", f"terraform plan of {environment.name}"):
            plan = tf.plan(account, bundle.manifest)
            verdict = judge(plan.document)
        for line in in_words(verdict):
            output.say(line)
        verdict.refuse_destruction(allowed)
        deployment = _Deployment(account, environment, bundle, timeline, tf)
        release = deployment.run(plan, verdict, reason)
    if release is None:
        output.result(f"nothing to do: {environment.name} serves bundle {bundle.id[:12]} already")
        return
    if from_quarantine:
        quarantine.release(account, environment, bundle.id)
    timeline.show()
    output.result(
        f"release {release.number}: {environment.name} serves bundle {bundle.id[:12]} "
        f"as version {release.version}"
    )


class _Deployment:
    """One deployment from its plan on: whatever fails, live goes back and it is recorded."""

    def __init__(
        self,
        account: Aws,
        environment: Environment,
        bundle: Bundle,
        timeline: Timeline,
        tf: Terraform,
    ) -> None:
        self._account = account
        self._name = environment.function_name
        self._bundle = bundle
        self._timeline = timeline
        self._terraform = tf
        self._ledger = Ledger(account, environment)
        self._switch = Switch(account.functions, self._name)

    def run(self, plan: SavedPlan, verdict: Verdict, reason: str | None) -> Release | None:
        """Do it and return the release, or None if there was nothing to do."""
        if verdict.empty and self._is_served(self._ledger.serving(), self._switch.before):
            return None
        manifest = self._bundle.manifest
        release = ledger.next_release(self._ledger.newest(), "deploy", manifest, reason=reason)
        release = replace(release, plan_sha256=verdict.sha256)
        self._ledger.begin(release)
        try:
            version = self._publish(plan, verdict)
            with self._timeline.phase("call", f"version {version}, by its number"):
                checks.call_health(self._account.functions, self._name, version)
            with self._timeline.phase("switch", f"{LIVE} to version {version}"):
                self._switch.to(version)
                checks.call_health(self._account.functions, self._name, LIVE)
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
