"""The lock of Terraform's state, and what becomes of one whose holder was killed."""

from __future__ import annotations

import logging
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.terraform import runner
from pipeline.aws import absent_if
from pipeline.bundle.manifest import Manifest
from pipeline.errors import StateLockedError, UsageError
from pipeline.markdown import one_line
from pipeline.release.ledger import Ledger, Release
from pipeline.terraform.runner import SavedPlan, Terraform
from pipeline.target import Target

log = logging.getLogger(__name__)

# A Terraform that lost its pipeline ends what it does, and gives its lock up; this is more than it
# can take.
_LONGEST = timedelta(minutes=30)
# A release takes the lock soon after it began.
_SOON = timedelta(minutes=10)


@dataclass(frozen=True)
class Lock:
    """A lock on the state, as Terraform writes it: its id, who holds it, for what, since when."""

    id: str
    who: str
    operation: str
    created: datetime

    def is_by_itself(self, now: datetime) -> bool:
        """Return whether it is too old to be that of a plan before which no release has begun."""
        return now - self.created >= _SOON


def read(target: Target) -> Lock | None:
    """Return the lock on an environment's state, or None if nobody holds it.

    Source of the object and its content: "State Locking" of the backend s3 in Terraform's
    documentation, and statemgr.LockInfo in its source.
    """
    key = f"{target.environment.state_key}.tflock"
    found = absent_if(
        "NoSuchKey", lambda: target.aws.s3.get_object(Bucket=target.aws.state_bucket, Key=key)
    )
    if found is None:
        return None
    lock = json.loads(found["Body"].read())
    created = datetime.fromisoformat(lock["Created"])
    return Lock(lock["ID"], lock["Who"], lock["Operation"], created)


def require(target: Target, lock_id: str) -> None:
    """Raise UsageError unless the environment's state has the lock with this id."""
    lock = read(target)
    if lock is None:
        raise UsageError(
            f"the state of {target.name} has no lock {lock_id}: it is not locked",
            "There is nothing to remove. `status` shows a lock, if there is one.",
        )
    if lock.id != lock_id:
        raise UsageError(
            f"the state of {target.name} has no lock {lock_id}: its lock is {lock.id}, held by "
            f"{one_line(lock.who)} since {lock.created:%Y-%m-%dT%H:%M:%SZ}",
            "Make sure that its process has ended.",
            command=f"python -m pipeline unlock --environment {target.name} {lock.id}",
        )


def plan(tf: Terraform, target: Target, manifest: Manifest) -> SavedPlan:
    """Plan with a bundle; take away the lock that a release left which died long enough ago.

    Raises StateLockedError if anybody else may hold it.
    """
    variables = runner.bundle_variables(target.aws, manifest)
    try:
        return tf.plan(target.aws, variables)
    except StateLockedError:
        if not _give_back(tf, target):
            raise
        return tf.plan(target.aws, variables)


def is_left_over(created: datetime, releases: Iterable[Release], now: datetime) -> bool:
    """Return whether a lock is that of an interrupted release, and too old to be in use.

    `releases` are the environment's, newest first: the newest that began before the lock is whose
    it can be.
    """
    if now - created < _LONGEST:
        return False
    for release in releases:
        began = datetime.fromisoformat(release.began)
        if began <= created:
            ended = datetime.fromisoformat(release.ended) if release.ended else now
            in_time = created <= min(ended, began + _SOON)
            return in_time and release.outcome == "interrupted"
    return False


def _give_back(tf: Terraform, target: Target) -> bool:
    """Remove the lock if it is left over. Returns whether it is gone."""
    lock = read(target)
    if lock is None:
        return True
    releases = Ledger(target).releases()
    if not is_left_over(lock.created, releases, datetime.now(UTC)):
        return False
    created = lock.created.isoformat(timespec="seconds")
    log.warning(f"the lock that {lock.who} left at {created} is taken away")
    tf.unlock(target.aws, lock.id)
    return True
