"""rollback: restore an earlier release."""

from __future__ import annotations

from dataclasses import replace

import click

from pipeline import aws, github, labels
from pipeline.cli import console
from pipeline.bundle import store
from pipeline.bundle.manifest import Bundle
from pipeline.cli.help import examples
from pipeline.cli.options import (
    Label,
    allow_destroy_option,
    environment_option,
    verify_attestations_option,
)
from pipeline.cli.status import notice_states
from pipeline.config import BESIDE_STEPS_S, Environment
from pipeline.errors import QuarantinedError
from pipeline.release import cancellation, follow_up, ledger, outcome, quarantine, rollback_target
from pipeline.release.context import ReleaseContext, Operation
from pipeline.release.ledger import Ledger, Release
from pipeline.release.rollback import Rollback
from pipeline.release.rollback_target import RollbackTarget
from pipeline.report import job_summary, release_summary
from pipeline.terraform import runner
from pipeline.terraform.plan import in_words, read_plan
from pipeline.traffic import configuration, deployment_marker
from pipeline.traffic.alias import AliasSwitch
from pipeline.target import Target

_TRAFFIC, _FOLLOW_UP = "traffic", "follow-up"


@click.command(
    "rollback",
    epilog=examples(
        "rollback --environment production --reason 'checkout fails'",
        "rollback --environment production --to 41 --dry-run",
    ),
)
@environment_option
@click.option(
    "--to",
    "wanted",
    type=Label("release", "version"),
    metavar="RELEASE",
    help="Release to restore: 24, '#24', or v16 for the release that has this version. "
    "Default: the previous.",
)
@allow_destroy_option
@click.option("--reason", help="Reason to record in the ledger and in the quarantine.")
@click.option("--dry-run", is_flag=True, help="Show what would happen, and change nothing.")
@click.option(
    "--cancel-deployment",
    "cancel",
    is_flag=True,
    help="First cancel the workflow run of a deployment that is under way.",
)
@click.option(
    "--only",
    type=click.Choice([_TRAFFIC, _FOLLOW_UP]),
    help="Run one part: restore traffic (with AWS alone), or finish a rollback that restored it.",
)
@verify_attestations_option
@outcome.no_traffic_moved("nothing was done")
def command(
    environment: Environment,
    wanted: int | str | None,
    allowed: tuple[str, ...],
    reason: str | None,
    dry_run: bool,
    cancel: bool,
    only: str | None,
    attest: bool,
) -> None:
    """Roll back to an earlier release.

    Moves traffic first, then runs Terraform. If Terraform fails, traffic stays restored: run the
    same command again to finish.
    """
    if only and dry_run:
        raise click.UsageError("--only cannot be combined with --dry-run.")
    target = Target(aws.connect(), environment)
    _warn_of_expiry(target.aws.session_s())
    newest = Ledger(target).newest()
    number = rollback_target.number_of(target, wanted) if isinstance(wanted, str) else wanted
    unfinished = None if dry_run else rollback_target.unfinished(newest, number)
    if only == _FOLLOW_UP and unfinished is None:
        console.result(f"nothing to do: no rollback of {environment.name} is unfinished")
        return
    operation: Operation = "dry run" if dry_run else "follow-up" if unfinished else "rollback"
    with job_summary.job_summary(operation, target, reason) as context:
        context.switch = AliasSwitch(target.function)
        if unfinished:
            release, bundle = unfinished, _restored(context, unfinished)
        elif number and not dry_run and _is_done(context, number):
            return
        else:
            chosen, bundle, version = _preflight(context, number)
            if dry_run:
                _show(chosen, bundle, allowed, context)
                return
            if version is None and only == _TRAFFIC:
                _say_that_terraform_comes_first(chosen)
                return
            for line in release_summary.preview(
                context, rollback_target.manifest_of(target.aws, chosen.current)
            ):
                console.say(line)
            chosen = _clear(context, chosen, cancel)
            rollback = Rollback(chosen, bundle, context, context.switch)
            release = (
                rollback.move_traffic(version, attest=attest)
                if version
                else rollback.publish(allowed, attest=attest)
            )
            deployment_marker.put(target, "rollback")
        _tell(release, context)
        if release.pending and only != _TRAFFIC:
            follow_up.follow(context, bundle, release, allowed)
            console.result(f"Terraform has followed release {release.label}")
    console.timeline(context.timeline)


def _warn_of_expiry(valid_s: float | None) -> None:
    """Warn that the credentials may expire before Terraform ends, after traffic is restored."""
    if valid_s is not None and valid_s < BESIDE_STEPS_S:
        console.say(
            f"the AWS credentials expire in {valid_s:.0f} s: that restores traffic, and may not do "
            "for Terraform. With new credentials the same command ends what is left.",
            "yellow",
        )


def _restored(context: ReleaseContext, release: Release) -> Bundle:
    """Return the bundle of a rollback that is to be finished."""
    records = Ledger(context.target)
    context.release, context.restored = release, records.get(release.restores or 0)
    bundle = store.fetch(context.target.aws, release.bundle)
    context.manifest = bundle.manifest
    return bundle


def _is_done(context: ReleaseContext, number: int) -> bool:
    """Say, to people too, whether a rollback to this release came to its end, and serves."""
    assert context.switch
    done = rollback_target.is_done(Ledger(context.target), context.switch.before, number)
    if done:
        context.manifest = rollback_target.manifest_of(context.target.aws, done)
        console.result(
            f"nothing to do: {context.environment.name} serves release {labels.release(number)} "
            "already"
        )
    return done is not None


def _preflight(
    context: ReleaseContext, number: int | None
) -> tuple[RollbackTarget, Bundle, str | None]:
    """Choose what to restore, and prove that it can be.

    Returns the target, the bundle, and its version; None if that must be published again.
    """
    target, switch = context.target, context.switch
    assert switch
    with context.timeline.phase("preflight", "that the release can be restored"):
        chosen = rollback_target.choose(target, switch.before, number)
        context.serving, context.restored = chosen.current, chosen.release
        context.moved = chosen.moved
        bundle = rollback_target.fetch_bundle(target, chosen)
        context.manifest = bundle.manifest
        context.quarantined = quarantine.reason(target, bundle.id)
        if context.quarantined and not context.reason and context.operation != "dry run":
            raise QuarantinedError(
                context.quarantined,
                "To restore it, use --reason '…'. That releases it from quarantine.",
            )
        version = rollback_target.preflight(target, chosen, bundle)
        context.proved = True
        if version and switch.before:
            context.settings = configuration.get_differences(
                target.function, switch.before.version, version
            )
    if number is None and (passed := rollback_target.passed_over(target, chosen)):
        console.say(f"{'choose':<8} {chosen.release.label}, not {', '.join(passed)}")
    github.set_output("restores", str(chosen.release.number))
    return chosen, bundle, version


def _clear(context: ReleaseContext, chosen: RollbackTarget, cancel: bool) -> RollbackTarget:
    """Close what died, or `cancel` the deployment that is under way; return the
    target from there."""
    if chosen.newest.outcome != "under way":
        return chosen
    clear = cancellation.cancel_deployments if cancel else ledger.close_what_died
    newest = clear(context.target) or chosen.newest
    # It has put live back where it was.
    context.switch = AliasSwitch(context.target.function)
    return replace(chosen, newest=newest)


def _say_that_terraform_comes_first(chosen: RollbackTarget) -> None:
    github.set_output("traffic", "unmoved")
    console.notice(
        f"{labels.version(chosen.release.version)} of release {chosen.release.label} is gone: "
        "before traffic can go back, its bundle has to be published again, and that takes Terraform"
    )


def _tell(release: Release, context: ReleaseContext) -> None:
    """Print the result, and set the outputs of the job's step."""
    for name, value in (
        ("release", str(release.number)),
        ("restores", str(release.restores)),
        ("traffic", "restored"),
    ):
        github.set_output(name, value)
    what = (
        f"release {release.label}: {context.environment.name} serves release "
        f"{labels.release(release.restores)} again "
        f"(bundle {release.bundle[:12]}, {labels.version(release.version)})"
    )
    what += f"; {release_summary.what_follows(context)}" if context.serving else ""
    console.result(what)


def _show(
    chosen: RollbackTarget,
    bundle: Bundle,
    allowed: tuple[str, ...],
    context: ReleaseContext,
) -> None:
    """Show what a rollback would do; raise if Terraform would fail, or be refused, in the end."""
    for line in release_summary.preview(
        context, rollback_target.manifest_of(context.target.aws, chosen.current)
    ):
        console.result(line)
    notice_states(context.target)
    with runner.workspace(runner.service_stack(context.environment)) as tf:
        with context.timeline.phase("plan", f"terraform plan of {context.environment.name}"):
            variables = runner.bundle_variables(context.target.aws, bundle.manifest)
            context.planned = read_plan(tf.plan(context.target.aws, variables, lock=False).document)
    for line in in_words(context.planned):
        console.result(f"terraform {line}")
    context.planned.refuse_destruction(allowed)
