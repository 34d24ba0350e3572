"""Reading the ledger with 10, 1,000 and 100,000 releases in it.

This measures what the commands read: `releases` its newest lines, the rollback's preflight the
release to go back to (the one before, and the very first by its number). The bucket is a stand-in
that answers any request about its ledger in the same time however long that is, as S3 does; so what
grows is what we ask for, or do with it. Ten lines are listed, for the shortest ledger has no more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice

import boto3

from benchmarks.ledger_bucket import LedgerBucket
from benchmarks.measure import alternate, spread_of
from benchmarks.workspace import Workspace
from benchmarks.table import Measured, Row
from pipeline.release import rollback_target
from pipeline.aws import Aws
from pipeline.config import Environment
from pipeline.release.ledger import Ledger
from pipeline.target import Target

_ROUNDS = 25
_LENGTHS = (10, 1_000, 100_000)
_LISTED = 10
_FLAT = 1.2
_LOCAL = Environment("local")


def measure(workspace: Workspace) -> list[Row]:
    """Read ledgers of each length in turn."""
    with LedgerBucket() as bucket:
        account = _account(bucket.url)
        return [
            _row(
                "releases",
                bucket,
                lambda: list(islice(Ledger(Target(account, _LOCAL)).releases(), _LISTED)),
            ),
            _row(
                "rollback's preflight",
                bucket,
                lambda: rollback_target.choose(Target(account, _LOCAL), None),
            ),
            _row(
                "rollback's preflight, --to the first",
                bucket,
                lambda: rollback_target.choose(Target(account, _LOCAL), None, 1),
            ),
        ]


def _row(what: str, bucket: LedgerBucket, read: Callable[[], object]) -> Row:
    requests: dict[str, int] = {}

    def turn(length: int) -> Callable[[int], tuple[float, float]]:
        def timed(_: int) -> tuple[float, float]:
            bucket.length, bucket.requests = length, 0
            started_s, cpu_s = time.monotonic(), time.thread_time()
            read()
            requests[_name(length)] = bucket.requests
            return time.monotonic() - started_s, time.thread_time() - cpu_s

        return timed

    turns = {_name(length): turn(length) for length in _LENGTHS}
    for each in turns.values():
        each(0)  # the first request of a client makes it ready
    found = {
        name: Measured(name, "s", *zip(*values, strict=True))
        for name, values in alternate(turns, _ROUNDS).items()
    }
    shortest, *_, longest = found.values()
    ratio = spread_of(longest.values).median / spread_of(shortest.values).median
    counts = ", ".join(f"{name}: {count}" for name, count in requests.items())
    return Row(
        f"history, {what}",
        longest,
        tuple(each for each in found.values() if each is not longest),
        target=f"flat: ≤ {_FLAT}",
        ratio=ratio,
        ratio_of=f"{longest.name} / {shortest.name}",
        met=ratio <= _FLAT,
        notes=(f"requests to the bucket: {counts}",),
    )


def _name(length: int) -> str:
    return f"{length:,} releases"


def _account(url: str) -> Aws:
    session = boto3.Session(
        aws_access_key_id="nobody", aws_secret_access_key="nobody", region_name="us-east-1"
    )
    functions = session.client("lambda", endpoint_url=url)
    return Aws("1", "us-east-1", functions, session.client("s3", endpoint_url=url), session)
