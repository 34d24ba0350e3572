"""up, down and status: start localcloud as a process of its own, find it again, end it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from localcloud import parts

_UP_PATIENCE_S = 120
_DOWN_PATIENCE_S = 30


class NotUp(Exception):
    """localcloud did not come up; the message holds what it said last."""


def is_up(folder: Path) -> bool:
    """Say whether localcloud runs in `folder` and is ready for use."""
    return _held_by_server(folder) and (folder / "env").is_file()


def up(folder: Path) -> bool:
    """Start localcloud in `folder` and wait until it answers.

    Returns False if it was up already. Raises NotUp, and leaves nothing running, if it does not
    come up; the same if it is interrupted.
    """
    if is_up(folder):
        return False
    parts.install()
    down(folder)
    folder.mkdir(parents=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "localcloud", "serve", "--dir", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_until_ready(folder, process)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    return True


def down(folder: Path) -> bool:
    """End the localcloud that runs in `folder`, if any, and remove its files.

    Returns whether one was running.
    """
    was_running = _held_by_server(folder)
    if was_running:
        server = int((folder / "pid").read_text())
        with contextlib.suppress(ProcessLookupError):
            os.kill(server, signal.SIGTERM)
        if not _wait_for(lambda: not _held_by_server(folder), _DOWN_PATIENCE_S):
            # Everything it started is told to stop when it dies.
            os.kill(server, signal.SIGKILL)
            _wait_for(lambda: not _held_by_server(folder), _DOWN_PATIENCE_S)
    shutil.rmtree(folder, ignore_errors=True)
    return was_running


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Mark `folder` as this process's for as long as it lives, however it ends."""
    with (folder / "pid").open("w") as pid_file:
        fcntl.flock(pid_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        pid_file.write(str(os.getpid()))
        pid_file.flush()
        yield


def _held_by_server(folder: Path) -> bool:
    try:
        with (folder / "pid").open() as pid_file:
            return not _can_lock(pid_file)
    except FileNotFoundError:
        return False


def _can_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_until_ready(folder: Path, process: subprocess.Popen[bytes]) -> None:
    ready = _wait_for(
        lambda: (folder / "env").is_file() or process.poll() is not None, _UP_PATIENCE_S
    )
    if not ready or process.poll() is not None:
        raise NotUp((folder / "log").read_text(errors="replace")[-4000:])


def _wait_for(condition: Callable[[], bool], patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
