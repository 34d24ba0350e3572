"""A real MongoDB for tests: the user's (TEST_MONGODB_URI), or one that is started here."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pymongo.errors
import pytest

from localcloud import downloads, processes

_START_PATIENCE_S = 30


class Mongod:
    """A MongoDB server of the test's own on this machine, to be stopped, paused and killed."""

    def __init__(
        self, binary: Path, folder: Path, port: int, replica_set: str | None = None
    ) -> None:
        """With `replica_set`, it is the only member of one; else it stands alone."""
        self.port = port
        self._binary = binary
        self._folder = folder
        self._replica_set = replica_set
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """The connection string, without credentials."""
        options = f"?replicaSet={self._replica_set}" if self._replica_set else ""
        return f"mongodb://127.0.0.1:{self.port}/{options}"

    def start(self) -> None:
        """Start the server, on the data that an earlier one left, and wait until it answers."""
        arguments: list[str | Path] = ["--dbpath", self._folder, "--logpath", self._folder / "log"]
        arguments += ["--port", str(self.port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
        arguments += ["--wiredTigerCacheSizeGB", "0.25"]
        if self._replica_set:
            arguments += ["--replSet", self._replica_set, "--oplogSize", "100"]
        self._process = subprocess.Popen([self._binary, *arguments], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_PATIENCE_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"mongod did not start: {(self._folder / 'log').read_text()}")

    def _is_ready(self) -> bool:
        """Return whether it answers; as a replica set, whether it takes writes."""
        with pymongo.MongoClient[dict[str, Any]](
            "127.0.0.1", self.port, directConnection=True, serverSelectionTimeoutMS=200
        ) as client:
            try:
                ready = client.admin.command("hello")["isWritablePrimary"]
                if not ready and self._replica_set:
                    member = {"_id": 0, "host": f"127.0.0.1:{self.port}"}
                    config = {"_id": self._replica_set, "members": [member]}
                    client.admin.command("replSetInitiate", config)
            except pymongo.errors.PyMongoError:  # also: it is initiated already
                return False
            return bool(ready)

    def kill(self) -> None:
        """End the server at once, as a crash would."""
        self._send(signal.SIGKILL)
        if self._process:
            self._process.wait()
        self._process = None

    def pause(self) -> None:
        """Make the server hang: its connections stay open, and nothing is answered."""
        self._send(signal.SIGSTOP)
        if self._process:
            # The signal is only on its way: on a busy machine a thread answers once more.
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def resume(self) -> None:
        """Let a paused server go on."""
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(number)


@contextlib.contextmanager
def own_mongod(replica_set: str | None = None) -> Iterator[Mongod]:
    """Yield a running MongoDB server that the test may break; skip the test if there is none."""
    try:
        binary = downloads.mongod()
    except downloads.DownloadMissingError as missing:
        pytest.skip(str(missing))
    [port] = processes.free_ports(1)
    # Its data is thrown away, so there is no reason for an orderly end.
    with tempfile.TemporaryDirectory(prefix="mongod-", ignore_cleanup_errors=True) as folder:
        server = Mongod(binary, Path(folder), port, replica_set)
        server.start()
        try:
            yield server
        finally:
            server.kill()


@contextlib.contextmanager
def mongodb_uri() -> Iterator[str]:
    """Yield the connection string of a running MongoDB: TEST_MONGODB_URI, or one started here."""
    users_own = os.environ.get("TEST_MONGODB_URI")
    if users_own:
        yield users_own
        return
    with own_mongod() as server:
        yield server.uri
