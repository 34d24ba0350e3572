"""rollback: restore an earlier release."""

from __future__ import annotations

from dataclasses import replace

import click

from pipeline import aws, console, github
from pipeline.aws import Aws
from pipeline.bundle import store
from pipeline.bundle.manifest import Bundle
from pipeline.cli.help import examples
from pipeline.cli.options import (
    allow_destroy_option,
    environment_option,
    verify_attestations_option,
)
from pipeline.config import BESIDE_STEPS_S, Environment
from pipeline.release import cancellation, follow_up, ledger, outcome, quarantine, target
from pipeline.release.context import ReleaseContext, Verb
from pipeline.release.ledger import Ledger, Release
from pipeline.release.rollback import Rollback
from pipeline.release.target import RollbackTarget
from pipeline.report import job_summary, release_summary
from pipeline.terraform import runner
from pipeline.terraform.plan import in_words, read_plan
from pipeline.traffic import configuration, deployment_marker
from pipeline.traffic.alias import AliasSwitch

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
    "--to", "number", type=int, metavar="RELEASE", help="Release to restore. Default: the previous."
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
    number: int | None,
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
    account = aws.connect()
    _warn_of_expiry(account.session_s())
    newest = Ledger(account, environment).newest()
    unfinished = None if dry_run else target.unfinished(newest, number)
    if only == _FOLLOW_UP and unfinished is None:
        console.result(f"nothing to do: no rollback of {environment.name} is unfinished")
        return
    verb: Verb = "dry run" if dry_run else "follow-up" if unfinished else "rollback"
    with job_summary.job_summary(verb, account, environment, reason) as context:
        context.switch = AliasSwitch(account.functions, environment.function_name)
        if unfinished:
            release, bundle = unfinished, _restored(account, context, unfinished)
        elif number and not dry_run and _is_done(account, context, number):
            return
        else:
            way, bundle, version = _prove(account, context, number)
            if dry_run:
                _show(account, way, bundle, allowed, context)
                return
            if version is None and only == _TRAFFIC:
                _say_that_terraform_comes_first(way)
                return
            for line in release_summary.preview(context, target.manifest_of(account, way.left)):
                console.say(line)
            way = _clear(account, context, way, cancel)
            rollback = Rollback(account, way, bundle, context, context.switch)
            release = (
                rollback.move_traffic(version, attest=attest)
                if version
                else rollback.publish(allowed, attest=attest)
            )
            deployment_marker.put(account, environment, "rollback")
        _tell(release, context)
        if release.pending and only != _TRAFFIC:
            follow_up.follow(account, context, bundle, release, allowed)
            console.result(f"Terraform has followed release {release.number}")
    context.timeline.show()


def _warn_of_expiry(valid_s: float | None) -> None:
    """Say that Terraform may lack credentials in the end: traffic is restored long before."""
    if valid_s is not None and valid_s < BESIDE_STEPS_S:
        console.say(
            f"the AWS credentials expire in {valid_s:.0f} s: that restores traffic, and may not do "
            "for Terraform. With new credentials the same command ends what is left.",
            "yellow",
        )


def _restored(account: Aws, context: ReleaseContext, release: Release) -> Bundle:
    """Return the bundle of a rollback that is to be finished."""
    records = Ledger(account, context.environment)
    context.release, context.restored = release, records.release(release.restores or 0)
    bundle = store.fetch(account, release.bundle)
    context.manifest = bundle.manifest
    return bundle


def _is_done(account: Aws, context: ReleaseContext, number: int) -> bool:
    """Say, to people too, whether a rollback to this release came to its end, and serves."""
    assert context.switch
    done = target.is_done(Ledger(account, context.environment), context.switch.before, number)
    if done:
        context.manifest = target.manifest_of(account, done)
        console.result(f"nothing to do: {context.environment.name} serves release {number} already")
    return done is not None


def _prove(
    account: Aws, context: ReleaseContext, number: int | None
) -> tuple[RollbackTarget, Bundle, str | None]:
    """Choose what to restore, and prove that it can be.

    Returns the way, the bundle, and its version; None if that must be published again.
    """
    environment, switch = context.environment, context.switch
    assert switch
    with context.timeline.phase("prove", "that the release can be restored"):
        way = target.choose(account, environment, switch.before, number)
        context.serving, context.restored = way.left, way.target
        bundle = store.fetch(account, way.target.bundle)
        context.manifest = bundle.manifest
        version = target.preflight(account, environment, way, bundle)
        context.proved = True
        context.quarantined = quarantine.why(account, environment, bundle.id)
        if version and switch.before:
            context.settings = configuration.get_differences(
                account.functions, environment.function_name, switch.before.version, version
            )
    github.set_output("restores", str(way.target.number))
    return way, bundle, version


def _clear(
    account: Aws, context: ReleaseContext, way: RollbackTarget, cancel: bool
) -> RollbackTarget:
    """Close what died, or `cancel` the deployment that is under way; return the way from there."""
    if way.newest.outcome != "under way":
        return way
    environment = context.environment
    clear = cancellation.cancel_deployments if cancel else ledger.close_what_died
    newest = clear(account, environment) or way.newest
    # It has put live back where it was.
    context.switch = AliasSwitch(account.functions, environment.function_name)
    return replace(way, newest=newest)


def _say_that_terraform_comes_first(way: RollbackTarget) -> None:
    github.set_output("traffic", "unmoved")
    console.notice(
        f"version {way.target.version} of release {way.target.number} is gone: before traffic can "
        "go back, its bundle has to be published again, and that takes Terraform"
    )


def _tell(release: Release, context: ReleaseContext) -> None:
    """Tell people and the job's later steps that traffic is back."""
    for name, value in (
        ("release", str(release.number)),
        ("restores", str(release.restores)),
        ("traffic", "restored"),
    ):
        github.set_output(name, value)
    what = f"release {release.number}: {context.environment.name} serves release {release.restores}"
    what += f" again (bundle {release.bundle[:12]}, version {release.version})"
    what += f"; {release_summary.what_follows(context)}" if context.serving else ""
    console.result(what)


def _show(
    account: Aws,
    way: RollbackTarget,
    bundle: Bundle,
    allowed: tuple[str, ...],
    context: ReleaseContext,
) -> None:
    """Show what a rollback would do; raise if Terraform would fail, or be refused, in the end."""
    for line in release_summary.preview(context, target.manifest_of(account, way.left)):
        console.result(line)
    with runner.workspace(runner.service_stack(context.environment)) as tf:
        with context.timeline.phase("plan", f"terraform plan of {context.environment.name}"):
            variables = runner.bundle_variables(account, bundle.manifest)
            context.planned = read_plan(tf.plan(account, variables, lock=False).document)
    for line in in_words(context.planned):
        console.result(f"terraform {line}")
    context.planned.refuse_destruction(allowed)
