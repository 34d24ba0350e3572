"""rollback: restore an earlier release."""

from __future__ import annotations

import click

from pipeline import aws, console, github
from pipeline.aws import Aws
from pipeline.bundle import store
from pipeline.bundle.manifest import Bundle
from pipeline.cli.help import examples
from pipeline.cli.options import allow_destroy_option, environment_option
from pipeline.config import BESIDE_STEPS_S, Environment
from pipeline.release import ledger, outcome, quarantine, target
from pipeline.release.context import Facts, Verb
from pipeline.release.ledger import Ledger
from pipeline.release.rollback import Rollback
from pipeline.release.target import Way
from pipeline.report import job_summary, release_summary
from pipeline.terraform import runner
from pipeline.terraform.plan import in_words, judge
from pipeline.traffic import configuration, deployment_marker
from pipeline.traffic.alias import Switch


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
@outcome.untouched("nothing was done")
def command(
    environment: Environment,
    number: int | None,
    allowed: tuple[str, ...],
    reason: str | None,
    dry_run: bool,
) -> None:
    """Restore an earlier release."""
    account = aws.connect()
    _warn_of_expiry(account.session_s())
    verb: Verb = "dry run" if dry_run else "rollback"
    with job_summary.summarised(verb, account, environment, reason) as facts:
        with facts.timeline.phase("prove", "that the release can be restored"):
            switch = facts.switch = Switch(account.functions, environment.function_name)
            records = Ledger(account, environment)
            done = number and not dry_run and target.is_done(records, switch.before, number)
            if done:
                facts.manifest = target.manifest_of(account, done)
                console.result(f"nothing to do: {environment.name} serves release {number} already")
                return
            way = target.choose(account, environment, switch.before, number)
            facts.serving, facts.restored = way.left, way.target
            bundle = store.fetch(account, way.target.bundle)
            facts.manifest = bundle.manifest
            version = target.prove(account, environment, way, bundle)
            facts.proved = True
            facts.quarantined = quarantine.why(account, environment, bundle.id)
            if version and switch.before:
                facts.settings = configuration.look_at_differences(
                    account.functions, environment.function_name, switch.before.version, version
                )
        if dry_run:
            _show(account, way, bundle, allowed, facts)
            return
        for line in release_summary.preview(facts, target.manifest_of(account, way.left)):
            console.say(line)
        newest = way.newest
        if newest.outcome == "under way":
            newest = ledger.close_what_died(account, environment) or newest
        release = Rollback(account, way, bundle, allowed, facts, switch).run(version, newest)
    facts.timeline.show()
    console.result(
        f"release {release.number}: {environment.name} serves release {way.target.number} again "
        f"(bundle {bundle.id[:12]}, version {release.version}); "
        f"{release_summary.what_follows(facts)}"
    )
    github.set_output("release", str(release.number))
    deployment_marker.put(account, environment, "rollback")


def _warn_of_expiry(valid_s: float | None) -> None:
    """Say that Terraform may lack credentials in the end: traffic is restored long before."""
    if valid_s is not None and valid_s < BESIDE_STEPS_S:
        console.say(
            f"the AWS credentials expire in {valid_s:.0f} s: that restores traffic, and may not do "
            "for Terraform. With new credentials the same command ends what is left.",
            "yellow",
        )


def _show(account: Aws, way: Way, bundle: Bundle, allowed: tuple[str, ...], facts: Facts) -> None:
    """Show what a rollback would do; raise if Terraform would fail, or be refused, in the end.

    Before it plans it has told the job's later steps that the release can be restored.
    """
    github.set_output("release", str(way.target.number))
    github.set_output("bundle", bundle.id)
    for line in release_summary.preview(facts, target.manifest_of(account, way.left)):
        console.result(line)
    with runner.workspace(runner.service_stack(facts.environment)) as tf:
        with facts.timeline.phase("plan", f"terraform plan of {facts.environment.name}"):
            variables = runner.bundle_variables(account, bundle.manifest)
            facts.verdict = judge(tf.plan(account, variables, lock=False).document)
    for line in in_words(facts.verdict):
        console.result(f"terraform {line}")
    facts.verdict.refuse_destruction(allowed)
