"""What the handler's tests share: a MongoDB, and containers that are configured for it."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator

import pymongo
import pytest
from pymongo.collection import Collection

from scratch.events import KEY, api_keys
from tests.support.handler import Container, Document
from scratch.mongodb import Mongod, mongodb_uri, own_mongod


@pytest.fixture(scope="session")
def mongodb() -> Iterator[str]:
    """Connection string of the MongoDB that tests share."""
    with mongodb_uri() as uri:
        yield uri


@pytest.fixture(scope="session")
def database_client(mongodb: str) -> Iterator[pymongo.MongoClient[Document]]:
    """A client of the tests' own, to look at what the handler did."""
    with pymongo.MongoClient[Document](mongodb) as client:
        yield client


@pytest.fixture
def collection(
    database_client: pymongo.MongoClient[Document],
) -> Iterator[Collection[Document]]:
    """An empty collection, in a database that no other test uses."""
    name = f"test-{uuid.uuid4().hex}"
    yield database_client[name]["things"]
    database_client.drop_database(name)


@pytest.fixture
def configured(mongodb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configure the handler for the shared MongoDB and the key, which may read and write."""
    monkeypatch.delenv("MONGODB_URI_PARAMETER", raising=False)
    monkeypatch.setenv("MONGODB_URI", mongodb)
    monkeypatch.setenv("API_KEYS", api_keys({KEY: "read write"}))


@pytest.fixture
def new_container(configured: None) -> Iterator[Callable[[], Container]]:
    """Start containers: each imports the module afresh, and keeps a client of its own."""
    with contextlib.ExitStack() as containers:

        def start() -> Container:
            container = Container()
            containers.callback(container.close)
            return container

        yield start


@pytest.fixture
def container(new_container: Callable[[], Container]) -> Container:
    """One freshly started container."""
    return new_container()


@pytest.fixture
def server() -> Iterator[Mongod]:
    """A MongoDB of the test's own, to be paused and killed."""
    with own_mongod() as server:
        yield server
