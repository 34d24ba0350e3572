"""Start processes that cannot outlive this one, on ports that are free."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# The kernel sends the signal when the *thread* that started the process ends, so one thread that
# lives as long as this process starts them all: prctl(2), PR_SET_PDEATHSIG.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")

_given_ports: deque[int] = deque(maxlen=1000)
_giving_ports = threading.Lock()


class NotStartedError(Exception):
    """A process did not start; the message has its output."""


def start(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path,
    output: int | None = None,
    death_signal: str = "TERM",
) -> subprocess.Popen[bytes]:
    """Start `command`, with both its outputs going to `output` (None: where this one's go).

    It gets `death_signal` when this process dies, however that happens.
    """
    return _starter.submit(
        subprocess.Popen,
        dying_with_parent(command, death_signal),
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
    ).result()


def dying_with_parent(command: Sequence[str | Path], death_signal: str) -> list[str]:
    """Return the command that runs `command`, and gets `death_signal` when its parent dies."""
    return ["setpriv", "--pdeathsig", death_signal, *map(str, command)]


def stop(process: subprocess.Popen[bytes], patience_s: float = 10) -> None:
    """Terminate `process`, and kill it after `patience_s`."""
    process.terminate()
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_ports(count: int) -> list[int]:
    """Return `count` loopback ports that nothing listens on, and that were not returned before.

    Two that start at once must not get the same one in the moment before they listen on it.
    """
    ports: list[int] = []
    with _giving_ports, contextlib.ExitStack() as held:
        while len(ports) < count:
            each = held.enter_context(socket.socket())
            each.bind(("127.0.0.1", 0))
            port: int = each.getsockname()[1]
            if port not in _given_ports:
                _given_ports.append(port)
                ports.append(port)
    return ports
