"""python -m tests.service.memory: does the largest that a request can ask for fit into 256 MB?

Each request is sent to a runtime of its own, AWS's with the bundle in it, which the kernel gives no
more memory than the function has (RLIMIT_DATA). One that needs more ends with an error, as a
container of Lambda's is ended. What each took at most is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import resource
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymongo

from localcloud.runtime.execution_environment import Container, FunctionVersion
from scratch import events
from scratch.events import KEY, api_keys
from scratch.mongodb import own_mongod
from scratch.project import Project
from scratch.source import ROOT

MEMORY_MB = 256  # memory_mb in terraform/variables.tf

_PATH = "/api/data/v1/action/"
_MEDIA_TYPES = {"plain": "application/json", "extended": "application/ejson"}


@dataclass(frozen=True)
class Outcome:
    """How a request was answered (0: the runtime was ended), and the most memory meanwhile."""

    status: int
    peak_mb: int


def requests() -> dict[str, dict[str, Any]]:
    """Return the events, by what they ask for.

    The collection `one` has one document, `numbers` a million of one number each. A document has
    16 MB at most, and so has a reply of MongoDB's.
    """
    every = {
        f"{name}, {form}": _action(action, fields, media_type)
        for name, (action, fields) in _ANSWERS.items()
        for form, media_type in _MEDIA_TYPES.items()
    }
    return every | {name: _event(action, body) for name, (action, body) in _bodies()}


def _made(count: int, value: Any) -> dict[str, Any]:
    """Return a pipeline that makes one document of an array with so many values."""
    made = {"$map": {"input": {"$range": [0, count]}, "as": "i", "in": value}}
    return {"collection": "one", "pipeline": [{"$project": {"a": made}}]}


def _text(part: str, first: str = "") -> dict[str, Any]:
    """Return a pipeline that makes one document of a text: 2**20 times a part."""
    twice = {"$concat": ["$$value", "$$value"]}
    times = {"$reduce": {"input": {"$range": [0, 20]}, "initialValue": part, "in": twice}}
    return {"collection": "one", "pipeline": [{"$project": {"a": {"$concat": [first, times]}}}]}


_MANY: list[dict[str, Any]] = [{"$project": {"a": {"$range": [0, 1_000_000]}}}, {"$unwind": "$a"}]
_OBJECT = {"$arrayToObject": [[{"k": {"$toString": "$$i"}, "v": {}}]]}  # with a name of its own
_NAN = {"$literal": {"$numberDouble": "NaN"}}
_ANSWERS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "find of a million numbers": ("find", {"collection": "numbers", "limit": 0}),
    "a million documents out of one": ("aggregate", {"collection": "one", "pipeline": _MANY}),
    "16 MB of objects": ("aggregate", _made(700_000, {"a": "$$i"})),
    "16 MB of empty objects": ("aggregate", _made(1_200_000, {"$literal": {}})),
    "16 MB of numbers": ("aggregate", _made(1_200_000, "$$i")),
    "16 MB of NaN": ("aggregate", _made(600_000, {"a": _NAN})),
    "16 MB of objects with other names": ("aggregate", _made(520_000, _OBJECT)),
    "16 MB of text": ("aggregate", _text("a" * 15)),
    # Python keeps each character in four bytes as soon as one needs them.
    "16 MB of text, one character of it wide": ("aggregate", _text("a" * 15, "\U0001f600")),
    "16 MB of escapes": ("aggregate", _text("\x01" * 15)),
    "1,000 documents of 16 KB": (
        "aggregate",
        {
            "collection": "one",
            "pipeline": [
                {"$project": {"a": {"$range": [0, 1_000]}}},
                {"$unwind": "$a"},
                *_made(700, {"a": "$$i"})["pipeline"],
            ],
        },
    ),
}


def _bodies() -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield requests that are as large as Lambda lets through, or as the handler does."""
    filters = {
        "empty objects": ("{}" for _ in range(499_000)),
        "objects with other names": (f'{{"{n}":1}}' for n in range(390_000)),
        "objects in objects": (f'{{"{n}":{{}}}}' for n in range(249_000)),
        "ids": (f'{{"$oid":"{n:024x}"}}' for n in range(140_000)),
        "numbers": (f"{n + 300}" for n in range(750_000)),
        "doubles": (f"{n}.5" for n in range(600_000)),
    }
    for name, values in filters.items():
        members = f'"a":[{",".join(values)}]'
        yield f"a filter of {name}", ("findOne", _body(f'"filter":{{{members}}}'))
        if name == "objects with other names":
            yield (
                f"a filter of {name}, and a wide character",
                ("findOne", _body(f'"filter":{{"b":"\U0001f600",{members}}}')),
            )
    members = ",".join(f'"{n}":1' for n in range(450_000))
    yield "a filter of many members", ("findOne", _body(f'"filter":{{{members}}}'))
    documents = ",".join(f'{{"a":{n}}}' for n in range(100_000))
    yield "100,000 documents", ("insertMany", _body(f'"documents":[{documents}]'))


def _body(field: str) -> str:
    return f'{{"dataSource":"x","database":"memory","collection":"written",{field}}}'


def _action(action: str, fields: Mapping[str, Any], accept: str) -> dict[str, Any]:
    body = json.dumps({"dataSource": "x", "database": "memory", **fields})
    return _event(action, body, accept)


def _event(action: str, body: str, accept: str = "application/json") -> dict[str, Any]:
    headers = {"apiKey": KEY, "Content-Type": "application/json", "Accept": accept}
    return events.http_api("POST", _PATH + action, headers, body)


@contextlib.contextmanager
def database() -> Iterator[str]:
    """Yield the connection string of a server that has the collections."""
    with own_mongod() as server:
        with pymongo.MongoClient[dict[str, Any]](server.uri) as client:
            client["memory"]["one"].insert_one({"_id": 1})
            numbers: list[dict[str, Any]] = [
                *_MANY,
                {"$project": {"_id": "$a"}},
                {"$out": "numbers"},
            ]
            client["memory"]["one"].aggregate(numbers)
        yield server.uri


def unpacked(bundle: Path, folder: Path) -> tuple[Path, Path]:
    """Unpack a bundle's function and layer, as Lambda does."""
    function, layer = folder / "function", folder / "layer"
    for name, into in (("lambda_function.zip", function), ("pymongo-layer.zip", layer)):
        with zipfile.ZipFile(bundle / name) as package:
            package.extractall(into)
    return function, layer


def outcome_of(event: Mapping[str, Any], trees: tuple[Path, Path], uri: str) -> Outcome:
    """Send a request to a runtime that has answered one before, as most of them have."""
    function, layer = trees
    version = FunctionVersion(
        function_name="mongo-client-local",
        version="1",
        code_sha256="",
        task_root=function,
        layer_roots=(layer,),
        handler="lambda_function.lambda_handler",
        timeout_s=60,  # so that a busy machine does not end it; the handler has a limit of its own
        memory_mb=MEMORY_MB,
        environment=(("MONGODB_URI", uri), ("API_KEYS", api_keys({KEY: "read write"}))),
        log_group="/aws/lambda/mongo-client-local",
        log_format="Text",
        last_modified="",
    )
    container = Container(version, "eu-central-1")
    try:
        container.invoke(json.dumps(events.http_api("GET", "/api/health", {}, None)).encode())
        limit = MEMORY_MB * 1024 * 1024
        resource.prlimit(container.runtime_pid(), resource.RLIMIT_DATA, (limit, limit))
        called = container.invoke(json.dumps(event, ensure_ascii=False).encode())
    finally:
        container.stop()
    peak = re.search(r"Max Memory Used: (\d+) MB", called.log[-1])
    status = 0 if called.function_error else json.loads(called.payload)["statusCode"]
    return Outcome(status, int(peak[1]) if peak else 0)


def fits(outcome: Outcome) -> bool:
    """Return whether a request was answered, within the memory."""
    return outcome.status in (200, 201, 413) and 0 < outcome.peak_mb <= MEMORY_MB


def main() -> int:
    """Send every request, and print how it was answered and what it took."""
    parser = argparse.ArgumentParser(prog="python -m tests.service.memory", description=__doc__)
    parser.add_argument("--only", default="", help="requests with this in their name")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, database() as uri:
        Project(ROOT).must("build", "--out", f"{folder}/bundle")
        trees = unpacked(Path(folder) / "bundle", Path(folder))
        outcomes = {}
        for name, event in requests().items():
            if options.only in name:
                outcomes[name] = outcome = outcome_of(event, trees, uri)
                print(f"{outcome.peak_mb:4} MB  {outcome.status}  {name}", flush=True)
    bad = [name for name, outcome in outcomes.items() if not fits(outcome)]
    most_mb = max(outcome.peak_mb for outcome in outcomes.values())
    print(
        f"{len(outcomes)} requests, each as large as it can be: {most_mb} MB at most of the "
        f"{MEMORY_MB} MB that the function has; {len(bad)} did not fit{': ' if bad else ''}"
        f"{', '.join(bad)}."
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
