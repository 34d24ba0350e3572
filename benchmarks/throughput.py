"""Throughput: findOne through N execution environments at once, and pymongo alone N times.

Each environment is called the moment that it has answered, past API Gateway's front. Between the
two lies what Lambda's interface adds for every function: the event and the answer go through the
emulator and the interface client as JSON over HTTP. So the note takes a call apart.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from benchmarks.cold_start import version_of
from benchmarks.measure import alternate, spread_of
from benchmarks.workspace import APPS, Workspace
from benchmarks.table import Measured, Row
from benchmarks.warm_call import FLOOR, TASKS, Worker, event_of, filled_mongod, worker
from localcloud.runtime.execution_environment import Container
from scratch.events import KEY, api_keys

_AT_ONCE = (1, 2, 4)
_ROUNDS = 9
_CALLS = 100
_FIND_ONE = TASKS[0]


def measure(workspace: Workspace) -> list[Row]:
    """Measure with one, two and four at once."""
    with ExitStack() as stack:
        uri = stack.enter_context(filled_mongod())
        containers = [_container(workspace, uri) for _ in range(max(_AT_ONCE))]
        for container in containers:
            stack.callback(container.stop)
        imports = [APPS, workspace.ours.function, workspace.ours.layer / "python"]
        workers = [
            stack.enter_context(worker(workspace.peers_python, "pymongo_alone", imports, uri))
            for _ in range(max(_AT_ONCE))
        ]
        return [_row(containers[:count], workers[:count]) for count in _AT_ONCE]


def _container(workspace: Workspace, mongodb_uri: str) -> Container:
    settings = {"MONGODB_URI": mongodb_uri, "API_KEYS": api_keys({KEY: "read"})}
    layers: tuple[Path, ...] = (workspace.ours.layer,)
    function = version_of(workspace.ours.function, layers, environment=tuple(settings.items()))
    return Container(function, "eu-central-1")


def _row(containers: list[Container], workers: list[Worker]) -> Row:
    event = json.dumps(event_of(_FIND_ONE)).encode()
    times_ms: list[tuple[float, float]] = []  # of each call: as Lambda counts it, the handler's

    def call(container: Container) -> None:
        for _ in range(_CALLS):
            invocation = container.invoke(event)
            assert json.loads(invocation.payload)["statusCode"] == 200, invocation.payload
            times_ms.append((invocation.duration_ms, _handler_ms(invocation.log)))

    def alone(each: Worker) -> None:
        each.round(event_of(_FIND_ONE, FLOOR), _CALLS)

    found = alternate(
        {
            "our function": lambda _: _per_second(lambda: _at_once(call, containers), containers),
            FLOOR: lambda _: _per_second(lambda: _at_once(alone, workers), workers),
        },
        _ROUNDS,
    )
    ours, floor = (Measured(name, "1/s", values) for name, values in found.items())
    call_ms, handler_ms = (spread_of(values).median for values in zip(*times_ms, strict=True))
    count = len(containers)
    return Row(
        f"throughput of findOne, {count} at once",
        ours,
        (floor,),
        ratio=spread_of(ours.values).median / spread_of(floor.values).median,
        ratio_of="ours / pymongo alone",
        notes=(
            f"of a call's {call_ms:.2f} ms the handler has {handler_ms:.2f}, the database with it; "
            f"{1_000 * count / spread_of(ours.values).median:.2f} ms pass from call to call",
        ),
    )


def _at_once[T](act: Callable[[T], None], all_of_them: list[T]) -> None:
    with ThreadPoolExecutor(len(all_of_them)) as pool:
        list(pool.map(act, all_of_them))


def _per_second(act: Callable[[], None], all_of_them: list[Container] | list[Worker]) -> float:
    started_s = time.perf_counter()
    act()
    return _CALLS * len(all_of_them) / (time.perf_counter() - started_s)


def _handler_ms(log: list[str]) -> float:
    """Return what the handler's own line says that it took."""
    [line] = [json.loads(each) for each in log if each.startswith("{")]
    return float(line["durationMs"])
