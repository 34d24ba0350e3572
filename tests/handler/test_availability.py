"""What happens when the database is not available."""

from __future__ import annotations

import contextlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from types import SimpleNamespace

import pymongo
import pytest
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from scratch.mongodb import Mongod
from tests.handler.unavailable import (
    LIMIT_S,
    act,
    assert_unavailable,
    assert_unhealthy,
    dead_port,
    wait_until,
)
from tests.support.handler import Container, Document


@pytest.mark.parametrize("kind", ["closed", "silent"])
def test_a_dead_database_is_503_within_the_time_limit(
    container: Container, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Nothing listens, or something never answers: 503 before Lambda's deadline, every time."""
    with dead_port(kind) as port:
        monkeypatch.setenv("MONGODB_URI", f"mongodb://127.0.0.1:{port}/")

        assert_unavailable(act(container))
        assert_unhealthy(container.health(LIMIT_S))


def test_a_name_that_does_not_resolve_is_503(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database's host that is not in the DNS is a database that is not there."""
    monkeypatch.setenv("MONGODB_URI", "mongodb://nowhere.invalid/")

    assert_unavailable(act(container))


def test_a_dead_database_does_not_take_all_of_a_long_time_limit(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search for a server has a limit of its own: waiting in Lambda is paid for."""
    monkeypatch.setattr(container.module, "_SELECTION_S", 0.5)
    with dead_port("closed") as port:
        monkeypatch.setenv("MONGODB_URI", f"mongodb://127.0.0.1:{port}/")
        reply = act(container, limit_s=600)

    assert_unavailable(reply)
    assert reply.time_left_s > 300


def test_requests_during_an_outage_are_refused_sooner_than_the_first(
    container: Container, monkeypatch: pytest.MonkeyPatch, server: Mongod
) -> None:
    """A container that found no server does not search as long again, until it has found one."""
    limits: list[float] = []

    def timeout(seconds: float) -> AbstractContextManager[None]:
        limits.append(seconds)
        return pymongo.timeout(seconds)

    monkeypatch.setenv("MONGODB_URI", server.uri)
    monkeypatch.setattr(container.module, "pymongo", SimpleNamespace(timeout=timeout))
    monkeypatch.setattr(container.module, "_SELECTION_S", 0.2)
    monkeypatch.setattr(container.module, "_SELECTION_AGAIN_S", 0.1)
    server.kill()
    for _ in range(3):
        assert_unavailable(act(container, limit_s=600))
    assert limits == [0.2, 0.1, 0.1]

    server.start()
    wait_until(lambda: act(container, limit_s=600).status == 200)
    server.kill()
    client = container.module._client
    wait_until(lambda: not client.topology_description.has_readable_server())
    limits.clear()
    for _ in range(2):
        assert_unavailable(act(container, limit_s=600))
    assert limits == [0.2, 0.1]


def test_hardly_any_time_left_is_still_an_answer(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time limit that is nearly over when the request begins is kept, too."""
    with dead_port("silent") as port:
        monkeypatch.setenv("MONGODB_URI", f"mongodb://127.0.0.1:{port}/")

        assert_unavailable(act(container, limit_s=0.9))


def test_the_client_recovers_from_a_crash_of_the_database(
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
    server: Mongod,
) -> None:
    """Killed, and started again: 503 in between, then answers from the same client."""
    monkeypatch.setenv("MONGODB_URI", server.uri)
    assert act(container).status == 200
    client = container.module._client

    server.kill()
    assert_unavailable(act(container))
    assert_unhealthy(container.health(LIMIT_S))

    server.start()
    assert act(container, limit_s=60).status == 200
    assert container.health().status == 200
    assert container.module._client is client


def test_the_client_recovers_from_a_hang_of_the_database(
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
    server: Mongod,
) -> None:
    """A server that stops answering on open connections is 503 in time, and then is back."""
    monkeypatch.setenv("MONGODB_URI", server.uri)
    assert act(container).status == 200
    client = container.module._client

    server.pause()
    assert_unavailable(act(container))
    assert_unhealthy(container.health(LIMIT_S))

    server.resume()
    assert act(container, limit_s=60).status == 200
    assert container.module._client is client


def test_the_client_finds_a_database_that_was_not_there_at_first(
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
    server: Mongod,
) -> None:
    """A container that started while the database was down serves when it is up."""
    monkeypatch.setenv("MONGODB_URI", server.uri)
    server.kill()
    assert_unavailable(act(container))

    server.start()
    assert act(container, limit_s=60).status == 200


@pytest.mark.parametrize("action", ["find", "aggregate"])
@pytest.mark.parametrize(
    ("documents", "sleep_ms"), [(10, 1_000), (150, 6)], ids=["at once", "batch after batch"]
)
def test_a_query_that_takes_too_long_is_503_within_the_time_limit(
    container: Container,
    collection: Collection[Document],
    monkeypatch: pytest.MonkeyPatch,
    action: str,
    documents: int,
    sleep_ms: int,
) -> None:
    """MongoDB gets a time limit, and stops in time: in its later replies as well."""
    monkeypatch.setenv("ALLOWED_OPERATORS", "$function")
    collection.insert_many({"_id": n} for n in range(documents))
    body = f"function() {{ sleep({sleep_ms}); return true }}"
    slow = {"$expr": {"$function": {"body": body, "args": [], "lang": "js"}}}
    fields = {"filter": slow, "limit": 0} if action == "find" else {"pipeline": [{"$match": slow}]}
    reply = container.act(action, collection, limit_s=1, **fields)

    assert_unavailable(reply)


def test_a_query_that_an_administrator_ends_is_503(
    container: Container,
    collection: Collection[Document],
    database_client: pymongo.MongoClient[Document],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may well succeed when it is tried again."""
    monkeypatch.setenv("ALLOWED_OPERATORS", "$function")
    collection.insert_one({})
    sleep = {"body": "function() { sleep(600000); return true }", "args": [], "lang": "js"}

    def end_it() -> None:
        with database_client.admin.aggregate([{"$currentOp": {}}]) as operations:
            for operation in operations:
                if operation.get("ns") == collection.full_name:
                    database_client.admin.command("killOp", op=operation["opid"])
                    return
        raise LookupError("it is not there yet")

    with ThreadPoolExecutor() as pool:
        filter = {"$expr": {"$function": sleep}}
        reply = pool.submit(container.act, "findOne", collection, limit_s=600, filter=filter)
        while not reply.done():
            with contextlib.suppress(LookupError):
                end_it()
            time.sleep(0.05)
    assert_unavailable(reply.result())
    assert reply.result().time_left_s > 300


@pytest.mark.parametrize(
    ("message", "status", "code"),
    [
        ("bad auth : authentication failed", 503, "ServiceUnavailable"),
        (
            "user is not allowed to do action [find] on [shop.orders]",
            403,
            "NoMatchingRuleFound",
        ),
        ("$where is not allowed in this atlas tier", 400, "MongoDBError"),
    ],
)
def test_only_a_wrong_password_is_an_outage_on_atlas_s_shared_tiers(
    container: Container,
    collection: Collection[Document],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    message: str,
    status: int,
    code: str,
) -> None:
    """Atlas has one code, 8000, for all that it refuses itself; a caller's mistake is no outage."""
    assert act(container, collection).status == 200
    client = container.module._client
    capsys.readouterr()
    details = {"ok": 0, "errmsg": message, "code": 8000, "codeName": "AtlasError"}

    def refuse(*_: object) -> None:
        raise OperationFailure(message, 8000, details)

    monkeypatch.setattr(Collection, "find_one", refuse)
    reply = act(container, collection)

    assert (reply.status, reply.json["error_code"]) == (status, code)
    line = json.loads(capsys.readouterr().out.splitlines()[1])
    assert line["databaseFailed"] == (status == 503)
    assert (container.module._client is client) == (status != 503)
    client.close()


def test_the_client_is_made_once(container: Container, collection: Collection[Document]) -> None:
    """Requests share a container's client; importing the module makes none."""
    assert container.module._client is None
    act(container, collection)
    client = container.module._client
    container.health()

    assert client is not None
    assert container.module._client is client
