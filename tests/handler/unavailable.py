"""Databases that are not there, and the answers to requests for them."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pymongo
from pymongo.collection import Collection

from tests.support.handler import Container, Document, Reply

LIMIT_S = 2.0


@contextmanager
def dead_port(kind: str) -> Iterator[int]:
    """Reserve a port: `closed`, or `silent`, which takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if kind == "silent":
            server.listen(100)
        yield server.getsockname()[1]


def things() -> Collection[Document]:
    """Return the names of a database and a collection, with a client that never connects."""
    client = pymongo.MongoClient[Document]("mongodb://nowhere.invalid/", connect=False)
    return client["test"]["things"]


def act(
    container: Container, collection: Collection[Document] | None = None, limit_s: float = LIMIT_S
) -> Reply:
    """Perform an action within a time limit, which Container checks."""
    return container.act("findOne", things() if collection is None else collection, limit_s=limit_s)


def wait_until(condition: Callable[[], bool], patience_s: float = 600) -> None:
    """Wait until `condition` holds; fail if it does not come to hold."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def assert_unavailable(reply: Reply) -> None:
    """Check that an action's answer is 503, and has no more details than that."""
    assert (reply.status, reply.json["error_code"]) == (503, "ServiceUnavailable"), reply.json
    assert reply.json["error"] == "the database is unavailable"
    assert reply.headers["Retry-After"] == "1"


def assert_unhealthy(reply: Reply) -> None:
    """Check that the health route answers 503, in its own form."""
    assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
    assert reply.json == {
        "status": "unavailable",
        "database": "unavailable",
        "serverVersion": None,
        "functionVersion": "7",
    }
