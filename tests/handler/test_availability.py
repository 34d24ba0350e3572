"""What happens when the database, or its connection string, is not to be had."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pymongo
import pytest
from moto.server import ThreadedMotoServer
from pymongo.collection import Collection

from tests.support.handler import Container, Document, Reply
from scratch.mongodb import Mongod

PASSWORD = "pa55-w0rd"
PARAMETER = "/mongo-client/test/mongodb-uri"
LIMIT_S = 2.0


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port whose listener takes connections, and never answers on them."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nothing listens on, and nothing else can take."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        yield unheard.getsockname()[1]


@pytest.fixture
def things(new_container: Callable[[], Container]) -> Collection[Document]:
    """Names of a database and a collection, behind a client that never connects."""
    client = pymongo.MongoClient[Document]("mongodb://nowhere.invalid/", connect=False)
    return client["test"]["things"]


def act(container: Container, things: Collection[Document], limit_s: float = LIMIT_S) -> Reply:
    """Perform an action under a time limit, which Container holds it to."""
    return container.act("findOne", things, limit_s=limit_s)


def assert_unavailable(reply: Reply) -> None:
    """Check that an action's answer is 503, and tells the caller no more than that."""
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


@pytest.mark.parametrize("kind", ["closed_port", "silent_port"])
def test_a_dead_database_is_503_within_the_time_limit(
    container: Container,
    things: Collection[Document],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    kind: str,
) -> None:
    """Nothing there, or something that never answers: 503 before Lambda's deadline, every time."""
    port = request.getfixturevalue(kind)
    monkeypatch.setenv("MONGODB_URI", f"mongodb://127.0.0.1:{port}/")

    assert_unavailable(act(container, things, limit_s=1))
    assert_unhealthy(container.health(limit_s=1))


def test_a_name_that_does_not_resolve_is_503(
    container: Container, things: Collection[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database's host that is not in the DNS is a database that is not there."""
    monkeypatch.setenv("MONGODB_URI", "mongodb://nowhere.invalid/")

    assert_unavailable(act(container, things, limit_s=1))


def test_a_dead_database_does_not_take_all_of_a_long_time_limit(
    container: Container,
    things: Collection[Document],
    monkeypatch: pytest.MonkeyPatch,
    closed_port: int,
) -> None:
    """The search for a server has a limit of its own, which is paid for while nothing is there."""
    monkeypatch.setenv("MONGODB_URI", f"mongodb://127.0.0.1:{closed_port}/")
    monkeypatch.setattr(container.module, "_SELECTION_S", 0.5)
    reply = act(container, things, limit_s=60)

    assert_unavailable(reply)
    assert reply.time_left_s > 30


def test_requests_during_an_outage_are_refused_sooner_than_the_first(
    container: Container,
    things: Collection[Document],
    monkeypatch: pytest.MonkeyPatch,
    server: Mongod,
) -> None:
    """A container that found no server does not search as long again, until it has found one."""
    monkeypatch.setenv("MONGODB_URI", server.uri)

    def search_s() -> float:
        reply = act(container, things, limit_s=60)
        assert_unavailable(reply)
        return 60 - reply.time_left_s

    server.kill()
    assert search_s() > 2 * search_s()
    server.start()
    assert act(container, things, limit_s=60).status == 200
    server.kill()
    assert search_s() > 2 * search_s()


def test_hardly_any_time_left_is_still_an_answer(
    container: Container,
    things: Collection[Document],
    monkeypatch: pytest.MonkeyPatch,
    silent_port: int,
) -> None:
    """A time limit that is nearly over when the request begins is kept, too."""
    monkeypatch.setenv("MONGODB_URI", f"mongodb://127.0.0.1:{silent_port}/")

    assert_unavailable(act(container, things, limit_s=0.7))


def test_the_client_recovers_from_a_crash_of_the_database(
    container: Container,
    things: Collection[Document],
    monkeypatch: pytest.MonkeyPatch,
    server: Mongod,
) -> None:
    """Killed, and started again: 503 in between, then answers from the same client."""
    monkeypatch.setenv("MONGODB_URI", server.uri)
    assert act(container, things).status == 200
    client = container.module._client

    server.kill()
    assert_unavailable(act(container, things))
    assert_unhealthy(container.health(LIMIT_S))

    server.start()
    assert act(container, things, limit_s=10).status == 200
    assert container.health().status == 200
    assert container.module._client is client


def test_the_client_recovers_from_a_hang_of_the_database(
    container: Container,
    things: Collection[Document],
    monkeypatch: pytest.MonkeyPatch,
    server: Mongod,
) -> None:
    """A server that stops answering on open connections is 503 in time, and then is back."""
    monkeypatch.setenv("MONGODB_URI", server.uri)
    assert act(container, things).status == 200
    client = container.module._client

    server.pause()
    assert_unavailable(act(container, things))
    assert_unhealthy(container.health(LIMIT_S))

    server.resume()
    assert act(container, things, limit_s=10).status == 200
    assert container.module._client is client


def test_the_client_finds_a_database_that_was_not_there_at_first(
    container: Container,
    things: Collection[Document],
    monkeypatch: pytest.MonkeyPatch,
    server: Mongod,
) -> None:
    """A container that started while the database was down serves once it is up."""
    monkeypatch.setenv("MONGODB_URI", server.uri)
    server.kill()
    assert_unavailable(act(container, things, limit_s=1))

    server.start()
    assert act(container, things, limit_s=10).status == 200


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
    """MongoDB is told how long it may take, and gives up in time: in its later replies as well."""
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
    sleep = {"body": "function() { sleep(60000); return true }", "args": [], "lang": "js"}

    def end_it() -> None:
        with database_client.admin.aggregate([{"$currentOp": {}}]) as operations:
            for each in operations:
                if each.get("ns") == collection.full_name:
                    database_client.admin.command("killOp", op=each["opid"])
                    return
        raise LookupError("it is not there yet")

    with ThreadPoolExecutor() as pool:
        filter = {"$expr": {"$function": sleep}}
        reply = pool.submit(container.act, "findOne", collection, limit_s=60, filter=filter)
        while not reply.done():
            with contextlib.suppress(LookupError):
                end_it()
            time.sleep(0.05)
    assert_unavailable(reply.result())
    assert reply.result().time_left_s > 30


def test_the_client_is_made_once(container: Container, collection: Collection[Document]) -> None:
    """Requests share a container's client; importing the module makes none."""
    assert container.module._client is None
    act(container, collection)
    client = container.module._client
    container.health()

    assert client is not None
    assert container.module._client is client


def test_refused_credentials_are_503_and_tell_nothing(
    container: Container,
    things: Collection[Document],
    monkeypatch: pytest.MonkeyPatch,
    server: Mongod,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A password that MongoDB does not take is the service's fault; the log says which fault."""
    uri = f"mongodb://someone:{PASSWORD}@127.0.0.1:{server.port}/"
    monkeypatch.setenv("MONGODB_URI", uri)

    replies = act(container, things), container.health(LIMIT_S)
    assert_unavailable(replies[0])
    assert "Authentication failed" in caplog.text
    logged = caplog.text + "".join(capfd.readouterr())
    for reply in replies:
        for secret in (PASSWORD, "someone", "127.0.0.1", str(server.port), "Traceback"):
            assert secret not in json.dumps(reply.response)
    assert PASSWORD not in logged and "someone" not in logged


def test_new_credentials_are_taken_without_a_new_container(
    container: Container,
    things: Collection[Document],
    monkeypatch: pytest.MonkeyPatch,
    server: Mongod,
) -> None:
    """Where a password was changed, the connection string is read again once it is refused."""
    monkeypatch.setenv("MONGODB_URI", f"mongodb://someone:{PASSWORD}@127.0.0.1:{server.port}/")
    assert_unavailable(act(container, things))
    monkeypatch.setenv("MONGODB_URI", server.uri)
    assert act(container, things).status == 200


@pytest.mark.parametrize(
    "uri",
    [
        "",
        f"http://someone:{PASSWORD}@example.com/",
        f"mongodb://someone:{PASSWORD}/x@example.com/",
        f"mongodb://someone:1/{PASSWORD} x@example.com/",
        f"mongodb://someone:{PASSWORD}@x@example.com/",
        f"mongodb://someone:x@example.com:{PASSWORD}/",
        f"mongodb://someone:x@example.com/?authMechanism={PASSWORD}",
        f"mongodb+srv://{PASSWORD}:1/",
    ],
)
def test_an_unusable_connection_string_is_503_and_tells_nothing(
    container: Container,
    things: Collection[Document],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    uri: str,
) -> None:
    """Such an error quotes what it could not read, so its text goes nowhere."""
    monkeypatch.setenv("MONGODB_URI", uri)

    assert_unavailable(act(container, things, limit_s=1))
    assert_unhealthy(container.health(limit_s=1))
    assert "database unavailable" in caplog.text
    assert PASSWORD not in caplog.text


def test_an_absent_connection_string_is_503_until_it_is_there(
    container: Container,
    collection: Collection[Document],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Configuration is read at the first request that needs it, and again after a failure."""
    uri = os.environ["MONGODB_URI"]
    monkeypatch.delenv("MONGODB_URI")
    assert_unavailable(act(container, collection))

    monkeypatch.setenv("MONGODB_URI", uri)
    assert act(container, collection).status == 200


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """Address of an AWS on this machine."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def ssm(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The parameter store, as the handler is configured for it; the parameter is not there yet."""
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    environment = {"AWS_ENDPOINT_URL": aws, "AWS_DEFAULT_REGION": "eu-central-1", **credentials}
    for name, value in {**environment, "MONGODB_URI_PARAMETER": PARAMETER}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    client = boto3.client("ssm")
    yield client
    with contextlib.suppress(client.exceptions.ParameterNotFound):
        client.delete_parameter(Name=PARAMETER)


def test_the_connection_string_comes_from_the_parameter_and_is_read_once(
    container: Container,
    collection: Collection[Document],
    mongodb: str,
    monkeypatch: pytest.MonkeyPatch,
    ssm: Any,
) -> None:
    """The parameter is decrypted, goes before MONGODB_URI, and is read once per container."""
    monkeypatch.setenv("MONGODB_URI", "mongodb://nowhere.invalid/")
    ssm.put_parameter(Name=PARAMETER, Value=mongodb, Type="SecureString")
    assert act(container, collection, limit_s=10).status == 200

    ssm.delete_parameter(Name=PARAMETER)
    assert act(container, collection, limit_s=10).status == 200


def test_a_missing_parameter_is_503_until_it_is_there(
    container: Container,
    collection: Collection[Document],
    mongodb: str,
    ssm: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log names the fault, the caller learns nothing, and the next request tries again."""
    assert_unhealthy(container.health())
    assert_unavailable(act(container, collection, limit_s=10))
    assert "ParameterNotFound" in caplog.text

    ssm.put_parameter(Name=PARAMETER, Value=mongodb, Type="SecureString")
    assert act(container, collection, limit_s=10).status == 200


@pytest.mark.parametrize("kind", ["closed_port", "silent_port"])
def test_a_parameter_store_out_of_reach_is_503_within_the_time_limit(
    container: Container,
    things: Collection[Document],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    ssm: Any,
    kind: str,
) -> None:
    """Refused or unanswered, the call to the parameter store ends before Lambda's deadline."""
    port = request.getfixturevalue(kind)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")

    assert_unavailable(act(container, things, limit_s=3))
