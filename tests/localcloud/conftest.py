"""A cloud that most tests of localcloud share, and clouds of their own for those that break it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localcloud import downloads
from tests.localcloud.aws import Aws
from tests.localcloud.clouds import Cloud


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud that is up. Tests create things in it under names of their own."""
    shared = Cloud(tmp_path_factory.mktemp("shared") / "cloud", os.environ)
    shared.must("up")
    yield shared
    shared.must("down")


@pytest.fixture(scope="session")
def aws(cloud: Cloud) -> Iterator[Aws]:
    """The shared cloud's AWS."""
    clients = Aws(cloud.settings)
    yield clients
    clients.close()


@pytest.fixture
def new_cloud(tmp_path: Path) -> Iterator[Callable[..., Cloud]]:
    """Make clouds of the test's own, not up yet, given changes of the environment."""
    clouds: list[Cloud] = []

    def make(**environment: str) -> Cloud:
        clouds.append(Cloud(tmp_path / f"cloud-{len(clouds)}-", os.environ | environment))
        return clouds[-1]

    yield make
    for each in clouds:
        each.must("down")


@pytest.fixture
def with_own_mongod(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let localcloud run its own MongoDB server; skip the test where there is none for it."""
    monkeypatch.delenv("MONGODB_URI", raising=False)
    try:
        downloads.mongod()
    except downloads.DownloadMissingError as problem:
        pytest.skip(str(problem))
