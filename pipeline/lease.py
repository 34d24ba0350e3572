"""A lease: the sign of life of whoever is releasing to an environment.

It is renewed while the release is under way, so that another command can tell one that is still
at work from one that died: the ledger alone cannot.
"""

from __future__ import annotations

import json
import threading
from email.utils import parsedate_to_datetime

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.aws import Aws, absent_if
from pipeline.environment import Environment

_RENEWED_EVERY_S = 5
_EXPIRES_AFTER_S = 20


class Lease:
    """The lease of one environment."""

    def __init__(self, aws: Aws, environment: Environment) -> None:
        self._s3 = aws.s3
        self._bucket = aws.artifact_bucket
        self._key = f"lease/{environment.name}.json"
        self._given_up = threading.Event()

    def take(self, release_number: int) -> None:
        """Hold the lease for a release until `give_up`, or until this process dies."""
        self._write(release_number)
        thread = threading.Thread(target=self._renew, args=(release_number,), daemon=True)
        thread.start()

    def give_up(self) -> None:
        """Stop to renew the lease."""
        self._given_up.set()

    def is_held_for(self, release_number: int) -> bool:
        """Say whether somebody gave a sign of life for this release lately, by S3's own clock."""
        found = absent_if(
            "NoSuchKey", lambda: self._s3.get_object(Bucket=self._bucket, Key=self._key)
        )
        if found is None or json.loads(found["Body"].read())["release"] != release_number:
            return False
        now = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
        return (now - found["LastModified"]).total_seconds() < _EXPIRES_AFTER_S

    def _renew(self, release_number: int) -> None:
        while not self._given_up.wait(_RENEWED_EVERY_S):
            try:
                self._write(release_number)
            except (ClientError, BotoCoreError):
                # A missed renewal is no harm; the work itself will notice if AWS is gone.
                continue

    def _write(self, release_number: int) -> None:
        body = json.dumps({"release": release_number}).encode()
        self._s3.put_object(Bucket=self._bucket, Key=self._key, Body=body)
