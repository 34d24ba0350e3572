"""A real MongoDB server on this machine: a replica set of one, which acknowledges as Atlas does."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import AutoReconnect, PyMongoError

from localcloud import downloads, processes

_PATIENCE_S = 30


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run mongod with its data in `folder`, and give its connection string.

    It listens on loopback only, on a free port, and is ended at once afterwards: the data is not
    meant to outlive it. Raises DownloadMissingError if there is no mongod for this machine,
    NotStartedError if it does not come up.
    """
    folder.mkdir(parents=True)
    [port] = processes.free_ports(1)
    process = processes.start(
        [
            *(
                downloads.mongod(),
                "--dbpath",
                folder,
                "--bind_ip",
                "127.0.0.1",
                "--port",
                str(port),
            ),
            *("--replSet", "rs0", "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "100"),
            *("--logpath", folder / "mongod.log", "--quiet"),
            # It would leave the socket's file behind in /tmp.
            "--nounixsocket",
        ],
        env={"PATH": "/usr/bin:/bin"},
        cwd=folder,
        death_signal="KILL",
    )
    try:
        _make_primary(port, process, folder)
        yield f"mongodb://127.0.0.1:{port}/?replicaSet=rs0"
    finally:
        process.kill()
        processes.stop(process)


def _make_primary(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    member = {"_id": 0, "host": f"127.0.0.1:{port}"}
    with MongoClient[dict[str, object]](
        "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=500
    ) as client:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if client.admin.command("hello")["isWritablePrimary"]:
                    return
                if client.admin.command("replSetGetStatus")["ok"]:
                    time.sleep(0.01)
            except AutoReconnect:
                continue
            except PyMongoError:
                client.admin.command(
                    "replSetInitiate", {"_id": "rs0", "version": 1, "members": [member]}
                )
    log = folder / "mongod.log"
    last_words = log.read_text(errors="replace")[-2000:] if log.exists() else "it wrote no log"
    status = process.poll()
    ended = "does not answer" if status is None else f"ended with status {status}"
    raise processes.NotStartedError(f"the MongoDB server {ended}: {last_words}")
