"""The way back: which release to restore, and the proof that it can be."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import dropwhile, islice, takewhile

from botocore.exceptions import BotoCoreError, ClientError

from pipeline import labels, runtimes
from pipeline.bundle import store
from pipeline.release import quarantine, serving
from pipeline.traffic import alias, invoke
from pipeline.aws import Aws, absent_if
from pipeline.bundle.manifest import Bundle, Manifest
from pipeline.config import LIVE, Environment
from pipeline.markdown import one_line
from pipeline.errors import BundleError, ReleaseUnusableError
from pipeline.release.ledger import Ledger, Release
from pipeline.release.serving import Serving
from pipeline.traffic.alias import Live
from pipeline.target import DeployedFunction, Target

log = logging.getLogger(__name__)

_OFFERED = 100  # the newest releases, if the requested one cannot be restored
_WHOLE = 5  # the most of them, if their bundles must be checked


@dataclass(frozen=True)
class RollbackTarget:
    """From the release that is left to the one to restore.

    `current` is what serves now: the newest release that succeeded, or one that died or failed
    half way and has traffic, or a share of it, all the same. `newest` is the ledger's newest,
    however it ended. Where somebody moved live, `moved` says what serves instead of `current`.
    """

    current: Release
    release: Release
    newest: Release
    moved: str = ""

    @property
    def leaves_bundle(self) -> bool:
        """Whether another bundle is restored, and not only other settings of the same."""
        return self.current.bundle != self.release.bundle


def choose(target: Target, live: Live | None, number: int | None = None) -> RollbackTarget:
    """Choose what to restore: the requested release, or the one before what `live` serves.

    "Before" follows the ledger, not version numbers: after a rollback it is what came before the
    release that was restored, so rolling back twice goes further back. A rollback that did not
    come to its end is finished first. Where somebody moved live, only a number says which way to
    go: that of the release that serves by the ledger takes the move back. Raises
    ReleaseUnusableError.
    """
    return choose_from(target, serving.of(target, live), number)


def choose_from(target: Target, found: Serving, number: int | None = None) -> RollbackTarget:
    """Do `choose` where what serves is known."""
    current, newest = found.release, found.newest
    if newest is None or current is None:
        raise _nothing_to_restore(target.environment, found)
    if number is None and newest.outcome != "succeeded" and newest.restores:
        number = newest.restores
    if found.route == "moved" and (number is None or found.live is None):
        raise _moved(target.environment, found)
    records = Ledger(target)
    if number in (None, current.number):
        if left := _half_way(records, found, current, newest):
            return RollbackTarget(left, current, newest)
        if found.route == "moved":
            return RollbackTarget(current, current, newest, found.in_words())
    if number is not None:
        moved = found.in_words() if found.route == "moved" else ""
        return RollbackTarget(current, _asked_for(target, current, number), newest, moved)
    return RollbackTarget(current, _before(target, current), newest)


def _half_way(records: Ledger, found: Serving, current: Release, newest: Release) -> Release | None:
    """Return the deployment that has traffic although it did not succeed, if there is one."""
    has_traffic = found.live is not None and found.live.route != (current.version, ())
    left_traffic = has_traffic and found.route in ("under way", "half-way")
    died_going_back = newest.outcome != "succeeded" and newest.restores == current.number
    return _deployed_after(records, current) if left_traffic or died_going_back else None


def _asked_for(target: Target, current: Release, number: int) -> Release:
    release = Ledger(target).get(number)
    if release is None or not may_be_asked_for(release, current):
        raise _unusable(target, current, _why_not(target, current, number, release))
    return release


def _before(target: Target, current: Release) -> Release:
    """Return the release before the one that serves, as a rollback without a number restores it."""
    restored = current.restores or current.number
    for release in Ledger(target).releases():
        # Another version of the same bundle has other settings only: it must be requested.
        earlier = release.outcome == "succeeded" and release.number < restored
        if earlier and release.bundle != current.bundle:
            if not quarantine.contains(target, release.bundle):
                return release
    what = f"no release before {labels.release(restored)} can be restored"
    raise _unusable(target, current, what)


def passed_over(target: Target, chosen: RollbackTarget) -> list[str]:
    """Return the releases that a rollback without a number passes over, each with the reason."""
    restored = chosen.current.restores or chosen.current.number
    earlier = dropwhile(lambda release: release.number >= restored, Ledger(target).releases())
    passed = []
    for release in takewhile(lambda release: release.number > chosen.release.number, earlier):
        reason = "in quarantine"
        if release.outcome != "succeeded":
            reason = release.outcome
        elif release.bundle == chosen.current.bundle:
            reason = "the bundle that serves"
        passed.append(f"{release.label} ({reason})")
    return passed


def may_be_asked_for(release: Release, current: Release) -> bool:
    """Return whether a person may restore a release by its number while `current` serves."""
    earlier = release.outcome == "succeeded" and release.number < current.number
    return earlier and release.version != current.version


def number_of(target: Target, version: str) -> int:
    """Return the number of the newest release that succeeded and has a version.

    Raises ReleaseUnusableError if there is none.
    """
    succeeded = (release for release in Ledger(target).releases() if release.outcome == "succeeded")
    for release in succeeded:
        if release.version == version:
            return release.number
    raise ReleaseUnusableError(
        f"no release of {target.name} that succeeded has {labels.version(version)}",
        "Use the number of a release, such as 24, or its version, such as v16, for --to.",
        command=f"python -m pipeline releases --environment {target.name}",
    )


def is_done(records: Ledger, live: Live | None, number: int) -> Release | None:
    """Return the newest release if it was a rollback to this one that came to its end, and serves.

    Whoever runs such a command again, for it died after that, has nothing left to do.
    """
    newest = records.newest()
    if newest is None or (newest.restores, newest.outcome) != (number, "succeeded"):
        return None
    return newest if live and live.route == (newest.version, ()) else None


def unfinished(newest: Release | None, number: int | None) -> Release | None:
    """Return the newest release if it is a rollback that something still has to follow.

    A command that would restore that release (its `number`, or none given) finishes it instead.
    """
    if newest and newest.pending and number in (None, newest.restores):
        return newest
    return None


def where_live_belongs(releases: Iterable[Release], live: Live) -> str:
    """Return the version that must serve before the next deployment begins.

    `releases` are the environment's, newest first. A deployment that was interrupted may have left
    live at a version that has not proved itself: then the release that serves by the ledger comes
    back, unless a rollback moved live since.
    """
    interrupted = False
    for release in releases:
        if release.outcome == "succeeded":
            return release.version if interrupted and release.version else live.version
        if release.kind == "rollback" and release.version == live.version:
            break
        interrupted = interrupted or (release.kind, release.outcome) == ("deploy", "interrupted")
    return live.version


def _deployed_after(records: Ledger, current: Release) -> Release | None:
    """Return the newest deployment after the release that serves: it ended half way."""
    later = takewhile(lambda release: release.number > current.number, records.releases())
    return next((release for release in later if release.kind == "deploy"), None)


def _nothing_to_restore(environment: Environment, found: Serving) -> ReleaseUnusableError:
    if found.newest is None:
        return ReleaseUnusableError(f"{environment.name} has no releases")
    return ReleaseUnusableError(
        f"no release of {environment.name} ever succeeded, so there is none to restore: "
        f"{found.in_words()}",
        "Correct the source, build, and deploy.",
    )


def _moved(environment: Environment, found: Serving) -> ReleaseUnusableError:
    """Return the refusal to guess which way to go from where somebody moved live."""
    current = found.release
    assert current
    if not found.shares:
        hint = "Deploy the bundle that serves by the ledger: Terraform makes the alias again."
        command = f"deploy --environment {environment.name} --bundle {current.bundle[:12]}"
    else:
        hint = f"To take that back: --to {current.number}."
        adopted = found.shares[0].release
        if adopted and may_be_asked_for(adopted, current):
            hint += f" To keep what serves: --to {adopted.number}."
        command = f"rollback --environment {environment.name} --to {current.number}"
    return ReleaseUnusableError(
        serving.points_elsewhere(found), hint, command=f"python -m pipeline {command}"
    )


def _why_not(target: Target, current: Release, number: int, wanted: Release | None) -> str:
    """Return why a release cannot be restored by its number while `current` serves."""
    name = f"release {labels.release(number)}"
    if wanted is None:
        newest = Ledger(target).newest() or current
        return f"{name} does not exist: there are {labels.release(1)} to {newest.label}"
    if wanted.outcome != "succeeded":
        return f"{name} did not succeed ({wanted.outcome}), so it cannot be restored"
    if wanted.number == current.number:
        return f"{name} serves already, as {labels.version(current.version)}"
    return f"{name} has {labels.version(wanted.version)}, which serves already"


def _unusable(target: Target, current: Release, what: str) -> ReleaseUnusableError:
    """Return the error for what cannot be restored; its hint lists the releases that can."""
    newest_ones = islice(Ledger(target).releases(), _OFFERED)
    others = (release for release in newest_ones if may_be_asked_for(release, current))
    return ReleaseUnusableError(what, _offer(target, others))


def _offer(target: Target, releases: Iterable[Release]) -> str:
    """Return what to choose from, a line each: why it was released, and whether it was bad."""
    offered = list(releases)
    if not offered:
        return "The ledger has no other bundle that ever served."
    quarantined = quarantine.reasons(target, (release.bundle for release in offered))
    lines = ["Choose one with --to:"]
    for release in offered:
        version = labels.version(release.version)
        line = f"  {release.label:>5}  {version:>4}  {release.began[:19]}Z"
        line += f"  bundle {release.bundle[:12]}"
        line += f"  by {release.actor}"
        line += f": {one_line(release.reason)}" if release.reason else ""
        line += "  (in quarantine)" if release.bundle in quarantined else ""
        lines.append(line)
    return "\n".join(lines)


def fetch_bundle(target: Target, chosen: RollbackTarget) -> Bundle:
    """Return the bundle to restore, every digest verified.

    Raises BundleError if it is not whole, with the releases that can be restored instead.
    """
    try:
        return store.fetch(target.aws, chosen.release.bundle)
    except BundleError as problem:
        is_whole = cache(lambda bundle_id: store.problem(target.aws, bundle_id) is None)
        others = (
            release
            for release in islice(Ledger(target).releases(), _OFFERED)
            if may_be_asked_for(release, chosen.current) and is_whole(release.bundle)
        )
        hint = "\n".join((_offer(target, islice(others, _WHOLE)), problem.hint))
        raise BundleError(
            f"release {chosen.release.label} cannot be restored: {problem.message}", hint
        ) from problem


def preflight(target: Target, chosen: RollbackTarget, bundle: Bundle) -> str | None:
    """Prove that a release can be restored; return its version, None if it must be published again.

    The bundle's digests are verified already. What is left: AWS still takes updates of its runtime,
    and the version, if it is still published with that code and its layer, answers when it is
    called (no worse than live does now). A database that is unavailable for both is logged, for
    then no rollback helps. Raises ReleaseUnusableError or CheckFailedError.
    """
    function = target.function
    if runtimes.updates_are_blocked(bundle.manifest.runtime, datetime.now(UTC).date()):
        raise ReleaseUnusableError(
            f"AWS takes no more updates of functions on {bundle.manifest.runtime}",
            "Build the old source for a newer runtime, and deploy that.",
        )
    version = chosen.release.version or ""
    if not _is_published(function, version, bundle):
        if chosen.current.bundle == bundle.id:
            raise ReleaseUnusableError(
                f"{labels.version(version)} was deleted, and its bundle is the one that serves, so "
                "only settings would change",
                "Revert the change of settings in terraform/, and deploy.",
            )
        return None
    invoke.wake(function, version)
    answer = invoke.warm(function, version, alias.running_at_once(target))
    if answer.outcome != "200":
        now = invoke.get_health(function, LIVE)
        if answer.database_down and now.database_down:
            log.warning(
                f"{invoke.database_is_down(version, LIVE)}, and this rollback does not help: see "
                'docs/runbook.md, "The database is down"'
            )
        invoke.require_health(function, version, no_worse_than=now)
    return version


def _is_published(function: DeployedFunction, version: str, bundle: Bundle) -> bool:
    """Return whether a version is still there, with the bundle's code and layer."""
    published = absent_if(
        "ResourceNotFoundException",
        lambda: function.client.get_function_configuration(
            FunctionName=function.name, Qualifier=version
        ),
    )
    if published is None or published["CodeSha256"] != bundle.manifest.function.sha256_base64:
        return False
    return invoke.has_layer(function.client, published, bundle.manifest)


def manifest_of(account: Aws, release: Release) -> Manifest | None:
    """Return the manifest of a release's bundle, for people to compare; None if there is none."""
    try:
        return store.manifest(account, release.bundle)
    except (BundleError, ClientError, BotoCoreError):
        return None
