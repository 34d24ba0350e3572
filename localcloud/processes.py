"""Start processes that cannot outlive this one, on ports that are free."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# The kernel sends the signal when the *thread* that started the process ends, so one thread that
# lives as long as this process starts them all: prctl(2), PR_SET_PDEATHSIG.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")


def start(
    command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path
) -> subprocess.Popen[bytes]:
    """Start `command`, with both outputs as pipes; it is told to stop when this process dies."""
    return _starter.submit(
        subprocess.Popen,
        ["setpriv", "--pdeathsig", "TERM", *map(str, command)],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ).result()


def stop(process: subprocess.Popen[bytes], patience_s: float = 10) -> None:
    """Ask `process` to stop, make it after `patience_s`, and close its pipes."""
    process.terminate()
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()


def free_ports(count: int) -> list[int]:
    """Return `count` different loopback ports that nothing listens on at this moment."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
