"""What happens when the connection string is refused, unusable, or not available."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from pymongo.collection import Collection

from scratch.mongodb import Mongod
from tests.handler.unavailable import (
    LIMIT_S,
    act,
    assert_unavailable,
    assert_unhealthy,
    dead_port,
)
from tests.support.handler import Container, Document

PASSWORD = "pa55-w0rd"
PARAMETER = "/mongo-client/test/mongodb-uri"


def test_refused_credentials_are_503_and_repeat_nothing(
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
    server: Mongod,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A password that MongoDB does not take is the service's fault; the log says which fault."""
    uri = f"mongodb://someone:{PASSWORD}@127.0.0.1:{server.port}/"
    monkeypatch.setenv("MONGODB_URI", uri)

    replies = act(container), container.health(LIMIT_S)
    assert_unavailable(replies[0])
    assert "Authentication failed" in caplog.text
    logged = caplog.text + "".join(capfd.readouterr())
    for reply in replies:
        for secret in (PASSWORD, "someone", "127.0.0.1", str(server.port), "Traceback"):
            assert secret not in json.dumps(reply.response)
    assert PASSWORD not in logged and "someone" not in logged


def test_new_credentials_are_taken_without_a_new_container(
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
    server: Mongod,
) -> None:
    """Where a password was changed, the connection string is read again once it is refused."""
    monkeypatch.setenv("MONGODB_URI", f"mongodb://someone:{PASSWORD}@127.0.0.1:{server.port}/")
    assert_unavailable(act(container))
    monkeypatch.setenv("MONGODB_URI", server.uri)
    assert act(container).status == 200


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
def test_an_unusable_connection_string_is_503_and_repeats_nothing(
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    uri: str,
) -> None:
    """Such an error quotes what it could not read, so its text goes nowhere."""
    monkeypatch.setenv("MONGODB_URI", uri)

    assert_unavailable(act(container))
    assert_unhealthy(container.health(LIMIT_S))
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
    assert_unavailable(act(container, collection, limit_s=60))

    monkeypatch.setenv("MONGODB_URI", uri)
    assert act(container, collection, limit_s=60).status == 200


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
    assert act(container, collection, limit_s=60).status == 200

    ssm.delete_parameter(Name=PARAMETER)
    assert act(container, collection, limit_s=60).status == 200


def test_a_missing_parameter_is_503_until_it_is_there(
    container: Container,
    collection: Collection[Document],
    mongodb: str,
    ssm: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log names the fault, the caller learns nothing, and the next request tries again."""
    assert_unhealthy(container.health())
    assert_unavailable(act(container, collection, limit_s=60))
    assert "ParameterNotFound" in caplog.text

    ssm.put_parameter(Name=PARAMETER, Value=mongodb, Type="SecureString")
    assert act(container, collection, limit_s=60).status == 200


@pytest.mark.parametrize("kind", ["closed", "silent"])
def test_a_parameter_store_out_of_reach_is_503_within_the_time_limit(
    container: Container, monkeypatch: pytest.MonkeyPatch, ssm: Any, kind: str
) -> None:
    """Refused or unanswered, the call to the parameter store ends before Lambda's deadline."""
    with dead_port(kind) as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")

        assert_unavailable(act(container, limit_s=3))
