"""What the tests of workflows share: a repository, a hub for it, and what runs its workflows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scratch.project import Project
from scratch.source import ROOT
from tests.workflows.hub import REPOSITORY, Hub, serving
from tests.workflows.repository import Repository
from tests.workflows.runner import Runner


@pytest.fixture(scope="module")
def ready_account(fresh_cloud: dict[str, str]) -> None:
    """The account is ready for the repository: its jobs get roles, and may do what those allow."""
    Project(ROOT, dict(fresh_cloud)).must("bootstrap", "--repository", REPOSITORY, "--yes")


@pytest.fixture(scope="module")
def runner(
    fresh_cloud: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runner]:
    """A repository with the project in it, on a hub and a cloud that one module has for itself."""
    folder = tmp_path_factory.mktemp("workflows")
    repository = Repository(folder)
    with serving(Hub(repository.origin, folder / "state")) as hub:
        yield Runner(repository, hub, fresh_cloud)
