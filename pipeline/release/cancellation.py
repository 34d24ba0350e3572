"""Cancel the deployment that is in a rollback's way."""

from __future__ import annotations

import logging
import time

from pipeline import github
from pipeline.errors import GitHubError, LostRaceError
from pipeline.release import ledger
from pipeline.release.ledger import Ledger, Release
from pipeline.target import Target

log = logging.getLogger(__name__)

# A cancelled job gets ten seconds, and its lease expires after twenty.
_PATIENCE_S = 120


def cancel_deployments(target: Target) -> Release | None:
    """Cancel the run of a deployment that is under way, and wait until it has put live back.

    What begins after it in the meantime is cancelled, too. Returns the newest release. Raises
    LostRaceError if there is no run to cancel, or a deployment ended well before it was cancelled.
    """
    records = Ledger(target)
    cancelled: set[int] = set()
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            newest = ledger.close_what_died(target)
            break
        except LostRaceError as race:
            in_the_way = records.newest()
            if in_the_way and in_the_way.outcome != "under way" and not in_the_way.pending:
                continue
            if time.monotonic() > deadline:
                raise
            if in_the_way and in_the_way.number not in cancelled:
                _cancel(in_the_way, race)
                cancelled.add(in_the_way.number)
    if cancelled and newest and newest.outcome == "succeeded":
        raise LostRaceError(
            f"release {newest.label}, a {newest.kind} of bundle {newest.bundle[:12]}, succeeded "
            "before it was cancelled, and serves now; nothing was changed",
            "Check it (`status`), and roll back again if it is bad.",
        )
    return newest


def _cancel(release: Release, race: LostRaceError) -> None:
    """Cancel a deployment's run; raise `race`, with why, if that cannot be."""
    if release.kind != "deploy" or release.run is None:
        raise race
    log.warning(f"{'cancel':<8} {release.run}, which deploys as {release.label}")
    try:
        github.cancel(release.run)
    except GitHubError as problem:
        what = f"{race.message}; its run could not be cancelled: {problem}"
        raise LostRaceError(what, race.hint) from problem
