"""rollback: restore an earlier release: traffic first, at once, then Terraform, then the record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import click

from pipeline import aws, checks, ledger, output, quarantine, runtimes, store, terraform
from pipeline.aws import Aws, absent_if
from pipeline.bundle import Bundle
from pipeline.environment import LIVE, Environment, environment_option
from pipeline.errors import ReleaseUnusable, describe
from pipeline.judge import judge
from pipeline.ledger import Ledger, Release
from pipeline.plan import allow_destroy_option
from pipeline.timeline import Timeline
from pipeline.traffic import Switch


@click.command("rollback")
@environment_option
@click.option("--to", "number", type=int, help="Release to restore. Default: the one before.")
@allow_destroy_option
@click.option("--reason", help="Why, for the ledger and for whoever meets the quarantine.")
def command(
    environment: Environment, number: int | None, allowed: tuple[str, ...], reason: str | None
) -> None:
    """Restore an earlier release."""
    account = aws.connect()
    records = Ledger(account, environment)
    timeline = Timeline()
    with timeline.phase("prove", "that the release can be restored"):
        way = _choose(records, account, environment, number)
        bundle = store.fetch(account, way.target.bundle)
        version = _prove(account, environment, way.target, bundle)
        switch = Switch(account.functions, environment.function_name)
    release = ledger.next_release(
        records.newest(),
        "rollback",
        bundle.manifest,
        reason=reason,
        restores=way.target.number,
        version=version,
    )
    records.begin(release)
    try:
        with timeline.phase("switch", f"{LIVE} to version {version}: traffic is restored"):
            switch.to(version)
        release = replace(
            release,
            plan_sha256=_make_terraform_agree(account, environment, bundle, timeline, allowed),
        )
        with timeline.phase("check", f"{LIVE}, and that it stayed at version {version}"):
            checks.call_health(account.functions, environment.function_name, LIVE)
            switch.to(version)
        quarantine.put(account, environment, way.current.bundle, release)
        release = replace(release, outcome="succeeded")
    except BaseException as problem:
        release = replace(release, outcome="failed", error=describe(problem))
        raise
    finally:
        phases = tuple(timeline.phases)
        records.end(replace(release, ended=ledger.now(), phases=phases))
    timeline.show()
    output.result(
        f"release {release.number}: {environment.name} serves release {way.target.number} again "
        f"(bundle {bundle.id[:12]}, version {version}); "
        f"bundle {way.current.bundle[:12]} is in quarantine"
    )


@dataclass(frozen=True)
class _Way:
    """From the release that serves to the one to restore."""

    current: Release
    target: Release


def _choose(records: Ledger, account: Aws, environment: Environment, number: int | None) -> _Way:
    """Choose what to restore: the release asked for, or the one before what serves.

    "Before" follows the ledger, not version numbers: after a rollback it is what came before the
    release that was restored, so rolling back twice goes further back. Raises ReleaseUnusable.
    """
    succeeded = (each for each in records.releases() if each.outcome == "succeeded")
    current = next(succeeded, None)
    if current is None:
        raise ReleaseUnusable(f"nothing was ever released to {environment.name}")
    restored = current.restores or current.number
    for each in succeeded:
        if number is None:
            fits = each.number < restored and not quarantine.is_in(
                account, environment, each.bundle
            )
        else:
            fits = each.number == number
        if fits and each.bundle != current.bundle:
            return _Way(current, each)
    raise _no_such_release(records, current, number)


def _no_such_release(records: Ledger, current: Release, number: int | None) -> ReleaseUnusable:
    if number is None:
        what = f"no release before {current.restores or current.number} can be restored"
    else:
        what = f"release {number} is not one that can be restored"
    there_are = [
        f"  {each.number:>4}  {each.began}  bundle {each.bundle[:12]}  by {each.actor}"
        for each in records.releases()
        if each.outcome == "succeeded" and each.bundle != current.bundle
    ]
    if not there_are:
        return ReleaseUnusable(what, "The ledger has no other bundle that ever served.")
    return ReleaseUnusable(what, "\n".join(["Choose one with --to:", *there_are]))


def _prove(account: Aws, environment: Environment, target: Release, bundle: Bundle) -> str:
    """Prove that a release can be restored, and return its version; else raise ReleaseUnusable.

    The bundle's digests are verified already. What is left: the version is still published with
    that code, its layer version is still there, AWS still takes updates of its runtime, and it
    answers when it is called.
    """
    functions, name = account.functions, environment.function_name
    version = target.version or ""
    if runtimes.updates_are_blocked(bundle.manifest.runtime, datetime.now(UTC).date()):
        raise ReleaseUnusable(
            f"AWS takes no more updates of functions on {bundle.manifest.runtime}",
            "Build the old source for a newer runtime, and deploy that.",
        )
    published = absent_if(
        "ResourceNotFoundException",
        lambda: functions.get_function_configuration(FunctionName=name, Qualifier=version),
    )
    deploy_it = f"Deploy its bundle instead: --bundle {target.bundle}"
    if published is None:
        raise ReleaseUnusable(f"version {version} is not published any more", deploy_it)
    if published["CodeSha256"] != bundle.manifest.function.sha256_base64:
        raise ReleaseUnusable(
            f"version {version} is not that of release {target.number}", deploy_it
        )
    for layer in published.get("Layers", []):
        layer_name, layer_version = layer["Arn"].split(":")[-2:]
        found = absent_if(
            "ResourceNotFoundException",
            lambda: functions.get_layer_version(
                LayerName=layer_name, VersionNumber=int(layer_version)
            ),
        )
        if found is None or found["Content"]["CodeSha256"] != bundle.manifest.layer.sha256_base64:
            raise ReleaseUnusable(
                f"{layer_name} {layer_version} is gone, or is not the bundle's layer", deploy_it
            )
    checks.call_health(functions, name, version)
    return version


def _make_terraform_agree(
    account: Aws,
    environment: Environment,
    bundle: Bundle,
    timeline: Timeline,
    allowed: tuple[str, ...],
) -> str:
    """Apply the restored bundle, so that the next plan is empty; return the plan's digest."""
    with terraform.workspace(environment) as tf:
        with timeline.phase("plan", f"terraform plan of {environment.name}"):
            plan = tf.plan(account, bundle.manifest)
            verdict = judge(plan.document)
        verdict.refuse_destruction(allowed)
        with timeline.phase("apply", "exactly that plan"):
            aws.wait_until_updated(account.functions, environment.function_name)
            if not verdict.empty:
                tf.apply(plan)
            aws.wait_until_updated(account.functions, environment.function_name)
        return verdict.sha256
