"""Warm execution environments: kept for the version they were started for, reaped when idle."""

from __future__ import annotations

import threading
import time
from collections import defaultdict

from localcloud.runtime.execution_environment import Container, FunctionVersion, Invocation

_IDLE_LIMIT_S = 300.0
# Each takes about 20 MB of memory.
_IDLE_MOST = 32
_MEMORY_LOOKED_AT_EVERY_S = 0.05


class Pool:
    """Containers by the exact function version that they run.

    A version that changes in place ($LATEST) is another version here, so it never meets an old
    container.
    """

    def __init__(
        self, region: str, idle_limit_s: float = _IDLE_LIMIT_S, idle_most: int = _IDLE_MOST
    ) -> None:
        """Keep up to `idle_most` idle containers, each for up to `idle_limit_s`."""
        self._region = region
        self._idle_limit_s = idle_limit_s
        self._idle_most = idle_most
        self._idle: dict[FunctionVersion, list[Container]] = defaultdict(list)
        self._all: set[Container] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._keepers = [
            threading.Thread(target=each, daemon=True)
            for each in (self._reap, self._keep_memory_limits)
        ]
        for keeper in self._keepers:
            keeper.start()

    def invoke(self, function: FunctionVersion, event: bytes) -> tuple[Container, Invocation]:
        """Call `function` in a container of its own: a warm one if there is one, else a new one."""
        container = self._take(function)
        try:
            invocation = container.invoke(event)
        except BaseException:
            self._discard(container)
            raise
        self._give_back(container)
        return container, invocation

    def counts(self) -> dict[str, int]:
        """Return how many containers there are of each function version, as `name:version`."""
        found: dict[str, int] = defaultdict(int)
        with self._lock:
            for container in self._all:
                found[f"{container.function.function_name}:{container.function.version}"] += 1
        return dict(found)

    def close(self) -> None:
        """End every container."""
        self._closed.set()
        for keeper in self._keepers:
            keeper.join()
        with self._lock:
            containers = list(self._all)
        for container in containers:
            self._discard(container)

    def _take(self, function: FunctionVersion) -> Container:
        with self._lock:
            if self._closed.is_set():
                raise RuntimeError("localcloud is stopping")
            while self._idle[function]:
                container = self._idle[function].pop()
                if container.is_alive():
                    return container
                self._all.discard(container)
        container = Container(function, self._region)
        with self._lock:
            self._all.add(container)
        if self._closed.is_set():
            self._discard(container)
            raise RuntimeError("localcloud is stopping")
        return container

    def _give_back(self, container: Container) -> None:
        with self._lock:
            container.idle_since = time.monotonic()
            self._idle[container.function].append(container)

    def _discard(self, container: Container) -> None:
        with self._lock:
            self._all.discard(container)
            idle = self._idle[container.function]
            if container in idle:
                idle.remove(container)
        container.stop()

    def _reap(self) -> None:
        while not self._closed.wait(min(self._idle_limit_s / 4, 1)):
            oldest = time.monotonic() - self._idle_limit_s
            with self._lock:
                idle = sorted(
                    (each for idle in self._idle.values() for each in idle),
                    key=lambda each: each.idle_since,
                )
                surplus = len(idle) - self._idle_most
                old = [c for n, c in enumerate(idle) if n < surplus or c.idle_since < oldest]
                for container in old:
                    # Taken out of reach first, so that no call gets a container that is ending.
                    self._idle[container.function].remove(container)
            for container in old:
                self._discard(container)

    def _keep_memory_limits(self) -> None:
        while not self._closed.wait(_MEMORY_LOOKED_AT_EVERY_S):
            with self._lock:
                idle = {each for idle in self._idle.values() for each in idle}
                busy = self._all - idle
            for container in busy:
                container.keep_memory_limit()
