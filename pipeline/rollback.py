"""rollback: restore an earlier release: traffic first, at once, then Terraform, then the record."""

from __future__ import annotations

from dataclasses import replace

import click

from pipeline import (
    aws,
    checks,
    github,
    job,
    ledger,
    output,
    quarantine,
    restore,
    store,
    summary,
    terraform,
)
from pipeline.aws import Aws
from pipeline.bundle import Bundle
from pipeline.environment import LIVE, Environment, environment_option
from pipeline.errors import describe
from pipeline.judge import judge
from pipeline.ledger import Ledger, Release
from pipeline.plan import allow_destroy_option
from pipeline.restore import Way
from pipeline.summary import Facts, Verb
from pipeline.traffic import Switch


@click.command("rollback")
@environment_option
@click.option("--to", "number", type=int, help="Release to restore. Default: the one before.")
@allow_destroy_option
@click.option("--reason", help="Why, for the ledger and for whoever meets the quarantine.")
@click.option("--dry-run", is_flag=True, help="Show what it would do, and change nothing.")
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
            way = restore.choose(account, environment, number)
            facts.serving, facts.restored = way.current, way.target
            bundle = store.fetch(account, way.target.bundle)
            facts.manifest = bundle.manifest
            version = restore.prove(account, environment, way.target, bundle)
        if dry_run:
            _show(account, way, bundle, allowed, facts)
            return
        release = _roll_back(account, way, bundle, version, allowed, facts)
    facts.timeline.show()
    output.result(
        f"release {release.number}: {environment.name} serves release {way.target.number} again "
        f"(bundle {bundle.id[:12]}, version {version}); "
        f"bundle {way.current.bundle[:12]} is in quarantine"
    )
    github.set_output("release", str(release.number))


def _show(account: Aws, way: Way, bundle: Bundle, allowed: tuple[str, ...], facts: Facts) -> None:
    """Show what a rollback would do; raise PlanRefused if it would be refused."""
    with terraform.workspace(facts.environment) as tf:
        with facts.timeline.phase("plan", f"terraform plan of {facts.environment.name}"):
            facts.verdict = judge(tf.plan(account, bundle.manifest, lock=False).document)
    for line in summary.preview(facts, restore.manifest_of(account, way.current)):
        output.result(line)
    facts.verdict.refuse_destruction(allowed)
    github.set_output("release", str(way.target.number))
    github.set_output("bundle", bundle.id)


def _roll_back(
    account: Aws, way: Way, bundle: Bundle, version: str, allowed: tuple[str, ...], facts: Facts
) -> Release:
    """Restore the release, and record how that ended."""
    functions, name = account.functions, facts.environment.function_name
    timeline, records = facts.timeline, Ledger(account, facts.environment)
    switch = Switch(functions, name)
    release = ledger.next_release(
        records.newest(),
        "rollback",
        bundle.manifest,
        reason=facts.reason,
        restores=way.target.number,
        version=version,
    )
    records.begin(release)
    try:
        # What is left may hang when it is called: going back does not wait for it.
        health_before = checks.look_at_health_meanwhile(functions, name, LIVE)
        with timeline.phase("switch", f"{LIVE} to version {version}: traffic is restored"):
            switch.to(version)
        release = replace(
            release, plan_sha256=_make_terraform_agree(account, bundle, allowed, facts)
        )
        with timeline.phase("check", f"{LIVE}, and that it stayed at version {version}"):
            facts.health_before = health_before.result()
            facts.health_after = checks.call_health(functions, name, LIVE)
            switch.to(version)
        quarantine.put(account, facts.environment, way.current.bundle, release)
        release = replace(release, outcome="succeeded")
    except BaseException as problem:
        release = replace(release, outcome="failed", error=describe(problem))
        raise
    finally:
        release = replace(release, ended=ledger.now(), phases=tuple(timeline.phases))
        records.end(release)
        facts.release = release
    return release


def _make_terraform_agree(
    account: Aws, bundle: Bundle, allowed: tuple[str, ...], facts: Facts
) -> str:
    """Apply the restored bundle, so that the next plan is empty; return the plan's digest."""
    environment = facts.environment
    with terraform.workspace(environment) as tf:
        with facts.timeline.phase("plan", f"terraform plan of {environment.name}"):
            plan = tf.plan(account, bundle.manifest)
            facts.verdict = judge(plan.document)
        facts.verdict.refuse_destruction(allowed)
        with facts.timeline.phase("apply", "exactly that plan"):
            aws.wait_until_updated(account.functions, environment.function_name)
            if not facts.verdict.empty:
                tf.apply(plan)
            aws.wait_until_updated(account.functions, environment.function_name)
        return facts.verdict.sha256
