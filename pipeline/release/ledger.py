"""The ledger of an environment: its releases and rollbacks, append-only, in the artifact bucket.

A release is two or three objects, each written once and never again, and each the whole release by
then: `begin.json` reserves its number, `end.json` says how it ended, and `follow-up.json` is there
once all that had to follow the traffic of a rollback has. A release without an end is under way
while its lease is renewed; after that it was interrupted. Keys count down, so that a list shows the
newest release first:

    ledger/<environment>/<999999 - number>/begin.json
"""

from __future__ import annotations

import logging
import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Literal, Self

from botocore.exceptions import BotoCoreError, ClientError

from pipeline import github, labels
from pipeline.aws import absent_if, create_object
from pipeline.bundle.manifest import Manifest
from pipeline.errors import AwsError, LostRaceError, describe
from pipeline.release.lease import Lease
from pipeline.timeline import Phase
from pipeline.target import Target

log = logging.getLogger(__name__)

_LAST_NUMBER = 999_999
# In the order of the alphabet, as S3 lists them.
type _Part = Literal["begin", "end", "follow-up"]
_PARTS: tuple[_Part, ...] = ("begin", "end", "follow-up")

Outcome = Literal["under way", "succeeded", "failed", "interrupted"]
Pending = Literal["attestation", "terraform"]


@dataclass(frozen=True)
class Release:
    """One line of the ledger.

    `version` is the Lambda version that it published or restored; `restores` the number of the
    release that a rollback went back to; `overrides` the unusual options of a deployment (`all at
    once`, `promotion check skipped`, `from quarantine`); `tree` is the commit with the files that a
    deployment ran and applied, `commit` the one that the bundle was built from, and `subject` the
    first line of that one's message (None where git does not have it, and in older records);
    `attested` whether the attestations of its packages were verified before it was deployed;
    `pending` what has not followed the traffic of a rollback yet; times are ISO 8601 in UTC.
    """

    number: int
    kind: Literal["deploy", "rollback"]
    outcome: Outcome
    bundle: str
    version: str | None
    restores: int | None
    began: str
    ended: str | None
    actor: str
    commit: str | None
    run: str | None
    reason: str | None
    plan_sha256: str | None
    phases: tuple[Phase, ...] = ()
    error: str | None = None
    overrides: tuple[str, ...] = ()
    tree: str | None = None
    attested: bool = False
    pending: tuple[Pending, ...] = ()
    subject: str | None = None

    @property
    def label(self) -> str:
        """The release's number as people read it."""
        return labels.release(self.number)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what this or another pipeline wrote: what only a newer one knows is left out."""
        known = {
            field_name.name: data[field_name.name]
            for field_name in fields(cls)
            if field_name.name in data
        }
        known["phases"] = tuple(Phase(**phase) for phase in data["phases"])
        for name in ("overrides", "pending"):
            known[name] = tuple(data.get(name, ()))
        return cls(**known)


def next_release(
    newest: Release | None,
    kind: Literal["deploy", "rollback"],
    manifest: Manifest,
    *,
    reason: str | None,
    restores: int | None = None,
    version: str | None = None,
    overrides: tuple[str, ...] = (),
    attested: bool = False,
    subject: str | None = None,
) -> Release:
    """Return the release that begins now, after the `newest` one, by whoever runs this.

    Raises LostRaceError, which names it, if the newest is under way.
    """
    if newest and newest.outcome == "under way":
        raise _somebody_else(newest)
    return Release(
        number=newest.number + 1 if newest else 1,
        kind=kind,
        outcome="under way",
        bundle=manifest.id,
        version=version,
        restores=restores,
        began=now(),
        ended=None,
        actor=os.environ.get("GITHUB_ACTOR") or getpass.getuser(),
        commit=manifest.commit,
        run=github.run_url(),
        reason=reason,
        plan_sha256=None,
        overrides=overrides,
        tree=os.environ.get("GITHUB_SHA", manifest.commit) if kind == "deploy" else None,
        attested=attested,
        subject=subject,
    )


def now() -> str:
    """Return the time as the ledger writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Ledger:
    """The ledger of one environment."""

    def __init__(self, target: Target) -> None:
        self._aws = target.aws
        self._environment = target.environment
        self._prefix = f"ledger/{target.name}/"
        self._lease = Lease(target)

    def releases(self) -> Iterator[Release]:
        """Yield every release, the newest first, reading no further than the caller does."""
        pages = self._aws.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._aws.artifact_bucket, Prefix=self._prefix, PaginationConfig={"PageSize": 20}
        )
        keys = (item["Key"] for page in pages for item in page.get("Contents", []))
        for _, parts in groupby(keys, lambda key: key.rpartition("/")[0]):
            *_, last = parts
            yield self._read(last)

    def get(self, number: int) -> Release | None:
        """Return the release of this number, or None if there is none."""
        if not 0 < number <= _LAST_NUMBER:
            return None
        for part in reversed(_PARTS):
            key = self._key(number, part)
            if found := absent_if("NoSuchKey", lambda: self._read(key)):
                return found
        return None

    def newest(self) -> Release | None:
        """Return the newest release, however it ended, or None before the first."""
        return next(self.releases(), None)

    def serving(self) -> Release | None:
        """Return the release that serves: the newest that succeeded."""
        return next(
            (release for release in self.releases() if release.outcome == "succeeded"), None
        )

    def close_what_died(self) -> Release | None:
        """Return the newest release; if it is under way but dead, close it as interrupted first.

        Raises LostRaceError, which names it, if it is alive, or what has to follow it is under way.
        Waits for its next sign of life.
        """
        newest = self.newest()
        if newest is None or not (newest.outcome == "under way" or newest.pending):
            return newest
        if self._lease.is_alive(newest.number):
            raise _somebody_else(newest)
        if newest.outcome != "under way":
            return newest
        closed = replace(newest, outcome="interrupted", ended=now())
        # Who is too late to close it finds out how it ended.
        return closed if self._create(closed, "end") else self.newest()

    def begin(self, release: Release) -> None:
        """Reserve a release's number, and give signs of life until it ends.

        Raises LostRaceError, which names the winner, if somebody else began one meanwhile.
        """
        # The lease comes first: a release without a fresh one counts as dead.
        self._lease.take(release.number)
        if not self._create(release, "begin"):
            self._lease.give_up()
            raise _somebody_else(self._read(self._key(release.number, "begin")))

    def end(self, release: Release) -> None:
        """Record how a release ended; raise LostRaceError if somebody else closed it meanwhile."""
        self._lease.give_up()
        try:
            recorded = self._create(release, "end")
        except (ClientError, BotoCoreError) as error:
            raise AwsError(
                f"release {release.label} {release.outcome}, but the ledger could not be written: "
                f"{describe(error)}",
                "It is under way in the ledger until the next deployment or rollback closes it.",
            ) from error
        if not recorded:
            raise LostRaceError(
                f"release {release.label} was closed as interrupted by a later command",
                "Check what serves now.",
                command=f"python -m pipeline status --environment {self._environment.name}",
            )
        if release.pending:
            self._lease.hand_over()

    @contextmanager
    def following(self, release: Release) -> Iterator[None]:
        """Renew the lease of a rollback that has ended, while the rest follows its traffic.

        Raises LostRaceError, which names the winner, if somebody else does that already, or a later
        release has begun.
        """
        self._require_newest(release)
        if self._lease.is_alive(release.number):
            raise _somebody_else(release)
        self._lease.take(release.number)
        try:
            self._require_newest(release)
            yield
        finally:
            self._lease.hand_over()

    def has_followed(self, release: Release) -> None:
        """Record that all has followed. Who is too late to record it has nothing to add."""
        self._create(release, "follow-up")

    def _require_newest(self, release: Release) -> None:
        newest = self.newest()
        if newest is None or newest.number != release.number:
            raise LostRaceError(
                f"release {newest.label if newest else '?'} has begun since release "
                f"{release.label}, so that one is not finished any more",
                "`releases` shows how it ended.",
            )

    def _key(self, number: int, part: _Part) -> str:
        return f"{self._prefix}{_LAST_NUMBER - number:06d}/{part}.json"

    def _create(self, release: Release, part: _Part) -> bool:
        """Write one object, whole or not at all; return False if somebody else wrote it."""
        content = json.dumps(release.to_json(), indent=2).encode()
        return create_object(self._aws, self._key(release.number, part), content)

    def _read(self, key: str) -> Release:
        body = self._aws.s3.get_object(Bucket=self._aws.artifact_bucket, Key=key)["Body"].read()
        return Release.from_json(json.loads(body))


def close_what_died(target: Target) -> Release | None:
    """Close a release that died as interrupted, and say so; raise LostRaceError if it is alive.

    Returns the newest release: the next one comes after it, or somebody else was first.
    """
    newest = Ledger(target).close_what_died()
    if newest and newest.outcome == "interrupted":
        log.warning(
            f"release {newest.label} (a {newest.kind} of bundle {newest.bundle[:12]} by "
            f"{newest.actor}, begun at {newest.began}) died: it is closed as interrupted"
        )
    return newest


def _somebody_else(winner: Release) -> LostRaceError:
    cancel = f"cancel its run ({winner.run})" if winner.run else "stop it where it runs"
    kind = "deployment" if winner.kind == "deploy" else winner.kind
    return LostRaceError(
        f"a {kind} is under way: release {winner.label} of bundle {winner.bundle[:12]}, by "
        f"{winner.actor}, since {winner.began}; nothing was changed",
        f"Wait until it ended. To stop it, {cancel}, which puts live back. Then run this again.",
    )
