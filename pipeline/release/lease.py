"""A lease: the sign of life of a release to an environment.

It is renewed while the release is under way, so that another command can distinguish a running
release from a dead one, which the ledger alone cannot.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.aws import absent_if
from pipeline.target import Target

_RENEWED_EVERY_S = 5
_EXPIRES_AFTER_S = 20
_LOOKED_AT_EVERY_S = 1
_OF_NO_RELEASE = 0


@dataclass(frozen=True)
class Sign:
    """A sign of life: of which release, a word that is new each time, and its age by S3's clock."""

    release_number: int
    word: str
    age_s: float

    def is_of(self, release_number: int) -> bool:
        """Return whether it is a release's, and recent enough for its process to be at work."""
        return self.release_number == release_number and self.age_s < _EXPIRES_AFTER_S


class Lease:
    """The lease of one environment."""

    def __init__(self, target: Target) -> None:
        self._s3 = target.aws.s3
        self._bucket = target.aws.artifact_bucket
        self._key = f"lease/{target.name}.json"
        self._given_up = threading.Event()

    def take(self, release_number: int) -> None:
        """Hold the lease for a release until `give_up`, or until this process dies."""
        self._write(release_number)
        self._given_up = given_up = threading.Event()
        thread = threading.Thread(target=self._renew, args=(release_number, given_up), daemon=True)
        thread.start()

    def give_up(self) -> None:
        """Stop to renew the lease."""
        self._given_up.set()

    def hand_over(self) -> None:
        """Release the lease, so that others do not wait until it expires."""
        self.give_up()
        with suppress(ClientError, BotoCoreError):
            self._write(_OF_NO_RELEASE)

    def last_sign(self) -> Sign | None:
        """Return the last sign of life, or None if nobody ever gave one."""
        found = absent_if(
            "NoSuchKey", lambda: self._s3.get_object(Bucket=self._bucket, Key=self._key)
        )
        if found is None:
            return None
        sign = json.loads(found["Body"].read())
        now = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
        age_s = (now - found["LastModified"]).total_seconds()
        return Sign(sign["release"], sign["sign"], age_s)

    def is_alive(self, release_number: int) -> bool:
        """Return whether somebody works on this release, by the signs of life and S3's own clock.

        Takes as long as the next sign of life, or until the last one is too old.
        """
        first: str | None = None
        while True:
            sign = self.last_sign()
            if sign is None or not sign.is_of(release_number):
                return False
            if first is None:
                first = sign.word
            elif sign.word != first:
                return True
            time.sleep(_LOOKED_AT_EVERY_S)

    def _renew(self, release_number: int, given_up: threading.Event) -> None:
        while not given_up.wait(_RENEWED_EVERY_S):
            try:
                self._write(release_number)
            except (ClientError, BotoCoreError):
                # A missed renewal is no harm; the work itself will notice if AWS is gone.
                continue

    def _write(self, release_number: int) -> None:
        body = json.dumps({"release": release_number, "sign": uuid4().hex}).encode()
        self._s3.put_object(Bucket=self._bucket, Key=self._key, Body=body)
