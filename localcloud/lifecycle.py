"""up, down and status: start localcloud as a process of its own, find it again, end it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from localcloud import downloads, processes

_UP_PATIENCE_S = 120
_DOWN_PATIENCE_S = 30


class NotRunningError(Exception):
    """localcloud did not start; the message has the end of its log."""


def is_up(folder: Path) -> bool:
    """Return whether localcloud runs in `folder` and is ready for use."""
    return (folder / "env").is_file() and _held_by_server(folder)


def up(folder: Path) -> bool:
    """Start localcloud in `folder` and wait until it answers.

    Returns False if it was up already. Raises NotRunningError, and leaves nothing running, if it
    does not come up; an interruption leaves nothing running either.
    """
    if is_up(folder):
        return False
    downloads.install()
    down(folder)
    _take(folder)
    process = None
    try:
        with _interruption_afterwards(), (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "localcloud", "serve", "--dir", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _wait_until_ready(folder, process)
    except BaseException:
        if process:
            processes.stop(process, _DOWN_PATIENCE_S)
        raise
    return True


def down(folder: Path) -> bool:
    """End the localcloud that runs in `folder`, if any, and remove its files.

    Returns whether one was running. A folder that is not localcloud's stays as it is.
    """
    was_running = _held_by_server(folder)
    if was_running:
        server = int((folder / "pid").read_text())
        with contextlib.suppress(ProcessLookupError):
            os.kill(server, signal.SIGTERM)
        if not _wait_for(lambda: not _held_by_server(folder), _DOWN_PATIENCE_S):
            # Everything it started gets SIGTERM when it dies.
            with contextlib.suppress(ProcessLookupError):
                os.kill(server, signal.SIGKILL)
            _wait_for(lambda: not _held_by_server(folder), _DOWN_PATIENCE_S)
    if (folder / "pid").is_file() and (folder / "log").is_file():
        shutil.rmtree(folder, ignore_errors=True)
    return was_running


def read_env(folder: Path) -> dict[str, str]:
    """Return the settings of the localcloud that runs in `folder`, as a shell would get them."""
    words = shlex.split((folder / "env").read_text())
    return dict(word.split("=", 1) for word in words if "=" in word)


def hold(folder: Path) -> None:
    """Mark `folder` as this process's for as long as it lives, however it ends."""
    # Never closed: the lock goes when the process is gone.
    pid_file = os.open(folder / "pid", os.O_WRONLY | os.O_CREAT, 0o644)
    fcntl.flock(pid_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.truncate(pid_file, 0)
    os.write(pid_file, str(os.getpid()).encode())


@contextlib.contextmanager
def _interruption_afterwards() -> Iterator[None]:
    """Hold Ctrl-C back until the block has ended: in its midst, a new process would get lost."""
    interruptions: list[object] = []
    before = signal.signal(signal.SIGINT, lambda number, _: interruptions.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if interruptions:
        signal.raise_signal(signal.SIGINT)


def _take(folder: Path) -> None:
    """Make `folder` localcloud's, unless it is there already with somebody's files in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        other = next(folder.iterdir(), None)
    except OSError as problem:
        raise NotRunningError(
            f"localcloud cannot keep its files in {folder}: {problem.strerror}"
        ) from None
    if other:
        raise NotRunningError(
            f"{folder} has other files ({other.name}): use another folder with --dir"
        )
    for name in ("pid", "log"):
        (folder / name).touch()


def _held_by_server(folder: Path) -> bool:
    try:
        with (folder / "pid").open() as pid_file:
            return not _can_lock(pid_file)
    except (FileNotFoundError, NotADirectoryError):
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
        log = folder / "log"
        output = textwrap.indent(log.read_text(errors="replace").strip()[-4000:], "  ")
        raise NotRunningError(f"localcloud did not come up; {log} says:\n{output}")


def _wait_for(condition: Callable[[], bool], patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
