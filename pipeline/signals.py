"""The signals to stop: of Ctrl-C, and of a job that is cancelled or has used up its time.

GitHub's runner then sends SIGINT, 7.5 s later SIGTERM, and 2.5 s after that it kills the
processes. So live goes back first; and a second signal ends the waiting for Terraform, so that what
happened is recorded all the same.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def stop_on_signals() -> None:
    """Raise KeyboardInterrupt where a signal to stop arrives, so that live goes back first."""
    for number in _SIGNALS:
        signal.signal(number, _stop)


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Defer the signals to stop while something is done that must not be left half done.

    The first one is delivered when that has succeeded, to whoever handled it before.
    """
    deferred: list[int] = []
    before = [
        signal.signal(signal_name, lambda number, _: deferred.append(number))
        for signal_name in _SIGNALS
    ]
    try:
        yield
    finally:
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)
    if deferred:
        signal.raise_signal(deferred[0])


def _stop(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
