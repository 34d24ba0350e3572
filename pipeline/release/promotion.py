"""Promotion: what one environment serves, and has passed there, goes to the next."""

from __future__ import annotations

from pipeline import commit
from pipeline.release import quarantine, serving
from pipeline.traffic import alias
from pipeline.config import LOCAL, Environment
from pipeline.errors import NotPromotedError, UncommittedError
from pipeline.release.ledger import Ledger
from pipeline.target import Target


def served_by(target: Target) -> str:
    """Return the id of the bundle that serves; raise NotPromotedError if that is not certain."""
    found = serving.of(target, alias.read(target.function))
    newest, release = found.newest, found.release
    if newest and newest.outcome == "under way":
        raise NotPromotedError(
            f"release {newest.label} of {target.name} is under way",
            "Wait until it has ended, and promote it then.",
        )
    if release is None:
        raise NotPromotedError(f"{target.name} has no releases")
    if found.route == "moved":
        what = serving.points_elsewhere(found)
    elif found.route == "half-way":
        what = f"{found.in_words()}, and by the ledger {release.label} serves alone"
    else:
        return release.bundle
    raise NotPromotedError(
        f"{target.name} does not serve the release of its ledger: {what}",
        "Repair it first. `status` has the command.",
        command=f"python -m pipeline status --environment {target.name}",
    )


def require_committed(target: Target, built_from: str | None) -> None:
    """Raise UncommittedError for a bundle of uncommitted source, unless it is for this machine."""
    if target.name == LOCAL or not commit.has_changes(built_from):
        return
    raise UncommittedError(
        f"the bundle was built from commit {commit.short(built_from or '')}: nobody could build it "
        f"again, so {target.name} does not take it",
        "Commit the changes, and build again.",
        command="python -m pipeline build",
    )


def require_promoted(target: Target, before: str, bundle_id: str) -> None:
    """Raise NotPromotedError unless a bundle served in `before`, and is not in quarantine there."""
    first = Target(target.aws, Environment(before))
    served = any(
        release.bundle == bundle_id and release.outcome == "succeeded"
        for release in Ledger(first).releases()
    )
    problem = ""
    if not served:
        problem = f"bundle {bundle_id[:12]} has not been released to {before}"
    elif quarantine.contains(first, bundle_id):
        problem = f"bundle {bundle_id[:12]} was rolled back in {before}"
    if problem:
        raise NotPromotedError(
            problem,
            f"Deploy it to {before} first, or use --skip-promotion-check --reason '…'",
        )
