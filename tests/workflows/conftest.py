"""What the tests of workflows share: a repository, a hub for it, and what runs its workflows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scratch.source import ROOT
from tests.support import provider
from tests.workflows.fake_github import REPOSITORY
from tests.workflows.runner import Runner, on_a_hub
from tests.workflows.fake_actions import OWNER_ID, REPOSITORY_ID


@pytest.fixture(scope="module")
def ready_account(runner: Runner) -> None:
    """The account is ready for the repository: its jobs get roles, and may do what those allow."""
    # The provider waits for a minute until S3 has a bucket's lifecycle rules.
    ids = f"{OWNER_ID}/{REPOSITORY_ID}"
    runner.project(ROOT).must("bootstrap", "--repository", REPOSITORY, "--ids", ids, "--yes")


@pytest.fixture(scope="module")
def runner(
    fresh_cloud: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runner]:
    """A repository with the project in it, on a hub and a cloud that one module has for itself."""
    with (
        on_a_hub(tmp_path_factory.mktemp("workflows"), fresh_cloud) as runner,
        provider.running(fresh_cloud, runner.credentials) as running,
    ):
        runner.running_provider = running
        yield runner
