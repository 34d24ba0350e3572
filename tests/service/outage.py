"""make outage: the database is killed under load, repeatedly. Is each write there, once?

Every write has an id of its own and is two calls: an insert, and an increment, which shows whether
it was done twice. A writer does not repeat what was not acknowledged.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymongo

from scratch.mongodb import Mongod, own_mongod
from tests.service.deployed import Service, deployed

_WRITERS = 8
_PATIENCE_S = 600
# How long the server is down. LONG is longer than a call may take: some calls must be refused.
# After SHORT there are calls which find the server again within their time.
LONG_S, SHORT_S = 12.0, 0.0


@dataclass
class Outage:
    """Writers at a service, and the answers that they got."""

    service: Service
    database: str = field(default_factory=lambda: f"outage-{uuid.uuid4().hex}")
    inserted: set[str] = field(default_factory=set)
    incremented: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    strange: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    recovered_s: list[float] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0

    def suffer(self, mongod: Mongod, downs_s: Sequence[float], seed: int = 0) -> None:
        """Write while `mongod` is killed and, after each time of `downs_s`, started again.

        Compare in the end what is there with what was acknowledged.
        """
        chance, stop = random.Random(seed), threading.Event()
        writers = [
            threading.Thread(target=self._write, args=(f"{writer}", stop))
            for writer in range(_WRITERS)
        ]
        try:
            # One after the other: so many cold starts at once would take longer than a call may.
            for writer, thread in enumerate(writers):
                thread.start()
                self._await_write(f"{writer}-")
            for down_s in downs_s:
                time.sleep(chance.uniform(0.5, 3))
                mongod.kill()
                time.sleep(down_s)
                mongod.start()
                self.recovered_s.append(self._await_write())
        finally:
            stop.set()
            for thread in writers:
                if thread.ident:
                    thread.join()
        self._look(mongod.uri)

    def problems(self) -> list[str]:
        """Return what must not be."""
        found = list(self.strange)
        if self.lost or self.doubled:
            found.append(f"{self.lost} writes were lost, {self.doubled} were done twice")
        if not self.statuses[503]:
            found.append("no call met the database while it was down")
        return found

    def summary(self) -> str:
        """Say in a sentence how it went."""
        acknowledged = len(self.inserted) + len(self.incremented)
        return (
            f"{len(self.recovered_s)} times mongod was killed with -9 and started again, under "
            f"{_WRITERS} writers: of {self.statuses.total():,} writes {acknowledged:,} were "
            f"acknowledged, {self.lost} of them lost and {self.doubled} done twice; "
            f"{self.statuses[503]:,} were answered with 503 and {len(self.strange)} with anything "
            f"else. The slowest call took {self.slowest_s:.1f} s. Once mongod was up, the next "
            f"write was acknowledged after {statistics.median(self.recovered_s):.2f} s (median; "
            f"at most {max(self.recovered_s):.2f} s)."
        )

    def _write(self, writer: str, stop: threading.Event) -> None:
        for n in itertools.count():
            if stop.is_set():
                return
            key = f"{writer}-{n}"
            if self._call("insertOne", {"insertedId": key}, document={"_id": key, "n": 0}):
                self.inserted.add(key)
                one = {"matchedCount": 1, "modifiedCount": 1}
                if self._call("updateOne", one, filter={"_id": key}, update={"$inc": {"n": 1}}):
                    self.incremented.add(key)

    def _call(self, action: str, wanted: dict[str, Any], **fields: Any) -> bool:
        """Call an action; return whether it was acknowledged."""
        started = time.monotonic()
        target = {"database": self.database, "collection": "writes"}
        try:
            status, answer = self.service.act(action, **target, **fields)
        except (OSError, ValueError) as error:
            status, answer = 0, repr(error)
        self.slowest_s = max(self.slowest_s, time.monotonic() - started)
        self.statuses[status] += 1
        acknowledged = status in (200, 201)
        if (acknowledged and answer != wanted) or (not acknowledged and status != 503):
            self.strange.append(f"{action} {fields} was answered {status} {answer}")
        return acknowledged

    def _await_write(self, writer: str = "") -> float:
        """Wait for one more write, of any or of this writer; return how many seconds it took."""

        def acknowledged() -> int:
            return sum(key.startswith(writer) for key in list(self.inserted))

        started, before = time.monotonic(), acknowledged()
        while acknowledged() == before:
            if time.monotonic() - started > _PATIENCE_S:
                self.strange.append(f"no write was acknowledged for {_PATIENCE_S} s")
                break
            time.sleep(0.01)
        return time.monotonic() - started

    def _look(self, uri: str) -> None:
        with pymongo.MongoClient[dict[str, Any]](uri) as client:
            found = {each["_id"]: each["n"] for each in client[self.database]["writes"].find()}
            client.drop_database(self.database)
        self.lost = len(self.inserted - set(found))
        self.lost += sum(found.get(key, 1) < 1 for key in self.incremented)
        self.doubled = sum(n > 1 for n in found.values())


def main() -> int:
    """Kill the database, print how it went, and what must not be."""
    parser = argparse.ArgumentParser(prog="python -m tests.service.outage", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="outage-") as folder, own_mongod("rs0") as mongod:
        with deployed(Path(folder), mongod.uri) as service:
            outage = Outage(service)
            downs_s = itertools.islice(itertools.cycle([LONG_S, SHORT_S]), options.kills)
            outage.suffer(mongod, list(downs_s), options.seed)
    print(*outage.problems()[:20], sep="\n")
    print(outage.summary())
    return 1 if outage.problems() else 0


if __name__ == "__main__":
    sys.exit(main())
