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

import pymongo
import pymongo.errors
import pytest

from localcloud import parts, processes

_START_PATIENCE_S = 30


class Mongod:
    """A MongoDB server of the test's own on this machine, to be stopped, paused and killed."""

    def __init__(self, binary: Path, folder: Path, port: int) -> None:
        self.port = port
        self._binary = binary
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """The connection string, without credentials."""
        return f"mongodb://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start the server, on the data that an earlier one left, and wait until it answers."""
        arguments: list[str | Path] = ["--dbpath", self._folder, "--logpath", self._folder / "log"]
        arguments += ["--port", str(self.port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
        arguments += ["--wiredTigerCacheSizeGB", "0.25"]
        self._process = subprocess.Popen([self._binary, *arguments], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_PATIENCE_S
        while not _answers(self.uri):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"mongod did not start: {(self._folder / 'log').read_text()}")

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
def own_mongod() -> Iterator[Mongod]:
    """Give a running MongoDB server that the test may break; skip the test where there is none."""
    try:
        binary = parts.mongod()
    except parts.PartMissing as missing:
        pytest.skip(str(missing))
    [port] = processes.free_ports(1)
    # Its data is thrown away, so there is no reason for an orderly end.
    with tempfile.TemporaryDirectory(prefix="mongod-", ignore_cleanup_errors=True) as folder:
        server = Mongod(binary, Path(folder), port)
        server.start()
        try:
            yield server
        finally:
            server.kill()


@contextlib.contextmanager
def mongodb_uri() -> Iterator[str]:
    """Give the connection string of a running MongoDB: TEST_MONGODB_URI, or one started here."""
    users_own = os.environ.get("TEST_MONGODB_URI")
    if users_own:
        yield users_own
        return
    with own_mongod() as server:
        yield server.uri


def _answers(uri: str) -> bool:
    client: pymongo.MongoClient[dict[str, object]]
    with pymongo.MongoClient(uri, serverSelectionTimeoutMS=200) as client:
        try:
            client.admin.command("ping")
        except pymongo.errors.PyMongoError:
            return False
        return True
