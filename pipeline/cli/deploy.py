"""deploy: take a bundle to an environment."""

from __future__ import annotations

import click
from click.core import ParameterSource

from pipeline import aws, github, labels
from pipeline.cli import console
from pipeline.bundle import store
from pipeline.bundle.manifest import Bundle
from pipeline.cli.help import examples
from pipeline.cli.options import (
    EnvironmentName,
    allow_destroy_option,
    bundle_option,
    environment_option,
    former_name,
    verify_attestations_option,
)
from pipeline.cli.status import notice_states
from pipeline.config import BESIDE_STEPS_S, Environment
from pipeline.errors import AwsError, PlanChangedError
from pipeline.inspection import inspector
from pipeline.packaging import freshness
from pipeline.release import (
    attestation,
    ledger,
    outcome,
    promotion,
    quarantine,
    rollback_target,
    state_lock,
)
from pipeline.release.context import ReleaseContext
from pipeline.release.deploy import Deployment
from pipeline.release.ledger import Ledger, Release
from pipeline.report import changes, job_summary
from pipeline.terraform import runner
from pipeline.terraform.plan import PlannedChanges, in_words, read_plan
from pipeline.terraform.runner import SavedPlan
from pipeline.traffic import deployment_marker, provisioned_concurrency
from pipeline.traffic.canary import Canary
from pipeline.target import Target


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
    help="Deploy the bundle that this environment serves, instead of --bundle.",
)
@allow_destroy_option
@click.option("--reason", help="Reason to record in the ledger.")
@click.option(
    "--release-from-quarantine",
    "from_quarantine",
    is_flag=True,
    help="Deploy a bundle that is in quarantine. Requires --reason.",
)
@click.option(
    "--skip-promotion-check",
    is_flag=True,
    help="Deploy a bundle that was not released to the previous environment. Requires --reason.",
)
@former_name("--unproved", "--skip-promotion-check", "skip_promotion_check", is_flag=True)
@click.option(
    "--all-at-once",
    is_flag=True,
    help="Move all traffic at once after the smoke test, without a canary.",
)
@click.option(
    "--expect-plan",
    "approved_plan",
    metavar="SHA256",
    help="Digest of the approved plan. Any other plan is refused.",
)
@verify_attestations_option
@outcome.no_traffic_moved("nothing was done")
def command(
    environment: Environment,
    reference: str,
    origin: str | None,
    allowed: tuple[str, ...],
    reason: str | None,
    from_quarantine: bool,
    skip_promotion_check: bool,
    all_at_once: bool,
    approved_plan: str | None,
    attest: bool,
) -> None:
    """Deploy a bundle to an environment."""
    for option, given in (
        ("--release-from-quarantine", from_quarantine),
        ("--skip-promotion-check", skip_promotion_check),
    ):
        if given and not reason:
            raise click.UsageError(f"{option} requires --reason.")
    source = click.get_current_context().get_parameter_source("reference")
    if origin and source is not ParameterSource.DEFAULT:
        raise click.UsageError("--from cannot be combined with --bundle.")
    steps = environment.rollout()
    target = Target(aws.connect(), environment)
    _require_session(
        target.aws.session_s(), BESIDE_STEPS_S + (0 if all_at_once else steps.longest_s)
    )
    with job_summary.job_summary("deploy", target, reason) as context:
        if origin:
            reference = promotion.served_by(Target(target.aws, Environment(origin)))
        bundle = _inspected(context, reference, attest)
        if not from_quarantine:
            quarantine.require_free(target, bundle.id)
        if steps.after and not skip_promotion_check:
            promotion.require_promoted(target, steps.after, bundle.id)
        else:  # what was promoted was committed for the environment before
            promotion.require_committed(target, bundle.manifest.commit)
        canary = None if all_at_once else Canary(target, steps, context.timeline)
        with context.timeline.phase("store", f"bundle {bundle.id[:12]}, once and for all"):
            store.put(target.aws, bundle)
        newest = ledger.close_what_died(target)
        notice_states(target)
        with runner.workspace(runner.service_stack(environment)) as tf:
            with context.timeline.phase("plan", f"terraform plan of {environment.name}"):
                plan = state_lock.plan(tf, target, bundle.manifest)
                context.planned = read_plan(plan.document)
                context.serving = Ledger(target).serving()
            _print_change(target, context.serving, bundle)
            for line in in_words(context.planned):
                console.say(line)
            context.planned.refuse_destruction(allowed)
            percents = (100.0,) if all_at_once else steps.percents
            _refuse_steps(plan, environment, percents)
            _refuse_another_plan(context.planned, approved_plan)
            overrides = tuple(
                word
                for word, given in (
                    ("all at once", all_at_once),
                    ("promotion check skipped", skip_promotion_check),
                    ("from quarantine", from_quarantine),
                )
                if given
            )
            release = Deployment(bundle, tf, context, canary).run(plan, newest, overrides)
        if from_quarantine:
            # Even if there was nothing to do: the command before may have died just here.
            quarantine.lift(target, bundle.id)
    _tell(environment, bundle, context, release)
    if release:
        deployment_marker.put(target, "deploy")


def _inspected(context: ReleaseContext, reference: str, attest: bool) -> Bundle:
    """Return the bundle, in which nothing is found; to `attest` it, GitHub vouches for it, too."""
    with context.timeline.phase("inspect", f"the bundle {reference}"):
        bundle = store.load(context.target.aws, reference)
        context.manifest = bundle.manifest
        if text := freshness.warning(reference, bundle.manifest):
            console.notice(text)
        inspector.require_clean(bundle)
    if attest:
        with context.timeline.phase("verify", "the attestations of its packages"):
            attestation.verify(bundle)
        context.attested = True
    return bundle


def _print_change(target: Target, serving: Release | None, bundle: Bundle) -> None:
    """Print what a deployment replaces, and by what: releases, files and dependencies."""
    console.say(changes.heading(target.name, serving, bundle.manifest))
    before = rollback_target.manifest_of(target.aws, serving) if serving else None
    for line in changes.between(before, bundle.manifest):
        console.say(f"    {line}")


def _require_session(valid_s: float | None, takes_s: float) -> None:
    """Raise AwsError if the credentials may expire before the deployment ends.

    Without them nobody could put live back.
    """
    if valid_s is not None and valid_s < takes_s:
        raise AwsError(
            f"the AWS credentials expire in {valid_s:.0f} s, and this deployment takes up to "
            f"{takes_s:g} s",
            aws.RENEW,
        )


def _refuse_steps(plan: SavedPlan, environment: Environment, percents: tuple[float, ...]) -> None:
    """Raise UsageError if live cannot move in these steps; an empty plan moves nothing."""
    refusal = provisioned_concurrency.refusal(plan.document, environment, percents)
    if refusal and not plan.is_empty:
        raise refusal


def _refuse_another_plan(planned: PlannedChanges, approved: str | None) -> None:
    """Raise PlanChangedError if a plan was approved, and this is not it."""
    if approved is not None and planned.sha256 != approved:
        raise PlanChangedError(
            f"the plan is not the approved one: its sha256 is {planned.sha256}, "
            f"approved was {approved}; nothing was applied",
            "To approve the new plan, re-run all jobs of the workflow.",
        )


def _tell(
    environment: Environment, bundle: Bundle, context: ReleaseContext, release: Release | None
) -> None:
    """Print the result, and set the outputs of the job's step."""
    github.set_output("released", "true" if release else "false")
    if release is None:
        console.result(f"nothing to do: {environment.name} serves bundle {bundle.id[:12]} already")
        return
    github.set_output("release", str(release.number))
    console.timeline(context.timeline)
    console.result(
        f"release {release.label}: {environment.name} serves bundle {bundle.id[:12]} "
        f"as {labels.version(release.version)}"
    )
    for url in context.urls:
        console.say(f"API      {url}")
    if before := context.serving:
        console.say(
            f"back     python -m pipeline rollback --environment {environment.name} "
            f'--to {before.number} --reason "..."'
        )
