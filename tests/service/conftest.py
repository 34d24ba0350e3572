"""What these tests share: the service as it is deployed, in front of a database to be broken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from scratch.mongodb import Mongod, own_mongod
from tests.service.deployed import Service, deployed

# The same examples in every run; `make fuzz` takes other ones, and more of them.
settings.register_profile(
    "sample", max_examples=150, derandomize=True, database=None, deadline=None
)
settings.register_profile("fuzz", max_examples=3_000, database=None, deadline=None)
settings.load_profile("sample")


@pytest.fixture(scope="session")
def mongod() -> Iterator[Mongod]:
    """A replica set of one, as Atlas's clusters are replica sets."""
    with own_mongod(replica_set="rs0") as server:
        yield server


@pytest.fixture(scope="session")
def service(
    mongod: Mongod, built_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The service behind its HTTP front, as `make up` and a deployment leave it."""
    with deployed(tmp_path_factory.mktemp("service"), mongod.uri, built_bundle) as running:
        yield running
