"""A warm call: the handler, the same pymongo call alone, and the same with three frameworks.

Every contender is a process of its own with the same Python, the same pymongo (our layer's), the
same server and the same request; they are called in turn. What Lambda adds is the same for all, and
left out. The frameworks' apps check the key, keep a deadline and print a line of log as the handler
does; its rights, its look for operators, Extended JSON and limits of size they have not.
Overhead is what a call takes beyond pymongo's own, round by round.
"""

from __future__ import annotations

import json
import math
import os
import re
import statistics
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from benchmarks.measure import ChildFailedError, alternate, spread_of
from benchmarks.workspace import APPS, Workspace
from benchmarks.table import Measured, Row
from scratch import events
from scratch.events import KEY, api_keys
from scratch.mongodb import own_mongod

_ROUNDS = 20
_DOCUMENTS = 1_000
_PLACE = {"database": "benchmark", "collection": "things"}
FLOOR, _OURS, _JSON_UTIL = "pymongo alone", "handler", "json_util.dumps"
_APPS = {
    "Powertools": "powertools_app",
    "Chalice": "chalice_app",
    "Mangum + FastAPI": "mangum_app",
}


@dataclass(frozen=True)
class Task:
    """An action with its fields, how often a round calls it, and the targets of its overhead.

    `most` is of the best alternative's overhead, `most_s` in seconds.
    """

    name: str
    action: str
    fields: Mapping[str, Any]
    calls: int
    most: float
    most_s: float = math.inf
    media_type: str = "application/json"
    alternatives: tuple[str, ...] = tuple(_APPS)


_ALL = _PLACE | {"filter": {}, "limit": _DOCUMENTS}
TASKS = (
    Task("findOne", "findOne", _PLACE | {"filter": {"n": 500}}, 200, most=1.0, most_s=100e-6),
    Task(
        "insertOne",
        "insertOne",
        {**_PLACE, "collection": "more", "document": {"a": 1, "b": "two"}},
        200,
        most=1.0,
    ),
    Task("find of 1,000", "find", _ALL, 10, most=0.8),
    Task(
        "find of 1,000 in Extended JSON",
        "find",
        _ALL,
        10,
        most=0.5,
        media_type="application/ejson",
        alternatives=(_JSON_UTIL,),
    ),
)


@dataclass(frozen=True)
class Worker:
    """A process that calls one module's handler on request."""

    process: subprocess.Popen[str]

    def round(self, event: Mapping[str, Any], calls: int) -> dict[str, Any]:
        """Call the handler; return `calls_s`, `cpu_s` and the `first` answer as text."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"event": event, "calls": calls}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def worker(python: Path, module: str, imports: list[Path], mongodb_uri: str) -> Iterator[Worker]:
    """Start a worker with these folders on its import path."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": ":".join(map(str, imports)),
        # The trees are those of other figures, too.
        "PYTHONDONTWRITEBYTECODE": "1",
        "MONGODB_URI": mongodb_uri,
        "API_KEYS": api_keys({KEY: "read write"}),
    }
    process = subprocess.Popen(
        [python, APPS / "worker.py", module],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Worker(process)
        assert process.stdin
        process.stdin.close()


@contextmanager
def filled_mongod() -> Iterator[str]:
    """Yield the connection string of a server with a thousand documents in it."""
    with own_mongod() as server:
        with MongoClient[dict[str, Any]](server.uri) as client:
            collection = client[_PLACE["database"]][_PLACE["collection"]]
            collection.create_index("n")
            collection.insert_many(
                {"n": n, "name": f"thing {n}", "price": n / 4, "tags": ["a", "b"], "in": {"x": n}}
                for n in range(_DOCUMENTS)
            )
        yield server.uri


def measure(workspace: Workspace) -> list[Row]:
    """Measure the tasks."""
    modules = {FLOOR: "pymongo_alone", _OURS: "lambda_function", _JSON_UTIL: "extended_json"}
    modules |= _APPS
    imports = [APPS, workspace.ours.function, workspace.ours.layer / "python"]
    with ExitStack() as stack:
        uri = stack.enter_context(filled_mongod())
        workers = {
            name: stack.enter_context(worker(workspace.peers_python, module, imports, uri))
            for name, module in modules.items()
        }
        return [_row(task, workers) for task in TASKS]


def event_of(task: Task, name: str = _OURS) -> dict[str, Any]:
    """Return the event that brings a contender the task."""
    if name in (FLOOR, _JSON_UTIL):
        return {"action": task.action, "fields": dict(task.fields)}
    path = f"/api/data/v1/action/{task.action}"
    body = json.dumps({"dataSource": "mongodb", **task.fields})
    headers = {"apiKey": KEY, "Content-Type": "application/json", "Accept": task.media_type}
    if name == "Chalice":
        event = events.rest_api("POST", path, headers, body)
        # Chalice has each route made a resource of its own.
        event["resource"] = event["requestContext"]["resourcePath"] = path
        return event
    return events.http_api("POST", path, headers, body)


def _row(task: Task, every: Mapping[str, Worker]) -> Row:
    workers = {name: every[name] for name in (FLOOR, _OURS, *task.alternatives)}
    for name, each in workers.items():
        warmed = each.round(event_of(task, name), task.calls)["first"]
        if name != FLOOR and not re.search(r"'statusCode': 20[01]\b", warmed):
            raise ChildFailedError(f"{name} answered {task.action} with {warmed}")
    turns = {name: _turn(each, event_of(task, name), task) for name, each in workers.items()}
    found = alternate(turns, _ROUNDS)
    floor = [p50_s for p50_s, _ in found[FLOOR]]
    overhead = {
        name: Measured(
            name,
            "s",
            tuple(p50_s - least_s for (p50_s, _), least_s in zip(each, floor, strict=True)),
            tuple(cpu_s for _, cpu_s in each),
        )
        for name, each in found.items()
        if name != FLOOR
    }
    ours, *others = overhead.values()
    best_s = min(spread_of(each.values).median for each in others)
    ours_s = spread_of(ours.values).median
    has_limit = task.most_s < math.inf
    return Row(
        f"warm call: overhead of {task.name}",
        ours,
        (*others, Measured(FLOOR + ", the call itself", "s", tuple(floor))),
        target=(f"≤ {task.most_s * 1e6:.0f} µs, and " if has_limit else "")
        + f"≤ {task.most:.1f} of the best other",
        ratio=ours_s / best_s,
        ratio_of="ours / best other",
        met=ours_s <= min(best_s * task.most, task.most_s),
    )


def _turn(
    worker: Worker, event: Mapping[str, Any], task: Task
) -> Callable[[int], tuple[float, float]]:
    """Return a turn that gives the median of a call's seconds, and its CPU seconds."""

    def turn(_: int) -> tuple[float, float]:
        found = worker.round(event, task.calls)
        return statistics.median(found["calls_s"]), found["cpu_s"] / task.calls

    return turn
