"""The way back: which release to restore, and the proof that it can be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline import checks, quarantine, runtimes, store
from pipeline.aws import Aws, absent_if
from pipeline.bundle import Bundle, Manifest
from pipeline.environment import Environment
from pipeline.errors import BundleError, ReleaseUnusable
from pipeline.ledger import Ledger, Release


@dataclass(frozen=True)
class Way:
    """From the release that serves to the one to restore."""

    current: Release
    target: Release


def choose(account: Aws, environment: Environment, number: int | None = None) -> Way:
    """Choose what to restore: the release asked for, or the one before what serves.

    "Before" follows the ledger, not version numbers: after a rollback it is what came before the
    release that was restored, so rolling back twice goes further back. Raises ReleaseUnusable.
    """
    records = Ledger(account, environment)
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
            return Way(current, each)
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


def prove(account: Aws, environment: Environment, target: Release, bundle: Bundle) -> str:
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


def manifest_of(account: Aws, release: Release) -> Manifest | None:
    """Return the manifest of a release's bundle, for people to compare; None if it is damaged."""
    try:
        return store.fetch(account, release.bundle).manifest
    except BundleError:
        return None
