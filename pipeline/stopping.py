"""Being told to stop: Ctrl-C by a person, SIGTERM by the end of a job."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def stop_when_told() -> None:
    """Leave in order: a cancelled job gets SIGTERM, and live must go back first."""
    for number in _SIGNALS:
        signal.signal(number, _stop)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Do what must not be left half done: being told to stop counts when it is done."""
    told: list[int] = []
    before = [signal.signal(each, lambda number, _: told.append(number)) for each in _SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)
    if told:
        raise KeyboardInterrupt


def _stop(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
