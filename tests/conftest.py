"""What tests of several rooms share: a built bundle, and a cloud on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from localcloud import control
from tests import provider
from tests.project import ROOT, Project

# The slowest files first, so that no worker is left alone with one of them at the end.
_SLOWEST_FIRST = (
    "workflows/test_merge.py",
    "e2e/test_trouble.py",
    "workflows/test_pull_request.py",
    "bootstrap",
    "e2e/test_canary.py",
    "workflows/test_rollback.py",
    "e2e/test_runbook.py",
    "service",
    "e2e/test_journey.py",
    "e2e/test_your_own.py",
    "crash/test_sample.py",
    "e2e/test_summaries.py",
    "e2e/test_front_door.py",
    "e2e/test_afterwards.py",
    "e2e/test_plan.py",
)


# Folders whose files share what is slow to make: one worker runs them all.
_SHARING = ("bootstrap", "service")


def _unit(name: str) -> str:
    folder = name.partition("/")[0]
    return folder if folder in _SHARING else name


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let one worker run a whole file, or a whole folder that shares."""
    scheduler = LoadFileScheduling(config, log)
    scheduler._split_scope = lambda nodeid: _unit(nodeid.split("::")[0].removeprefix("tests/"))
    return scheduler


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {name: rank for rank, name in enumerate(_SLOWEST_FIRST)}
    names = {item: item.path.relative_to(ROOT / "tests").as_posix() for item in items}
    items.sort(key=lambda item: ranks.get(_unit(names[item]), len(ranks)))


def pytest_report_header() -> str:
    """Say who exchanges the jobs' identity tokens in the tests of the workflows."""
    real = os.environ.get("CONFIGURE_AWS_CREDENTIALS")
    return f"configure-aws-credentials: {f'the real one, in {real}' if real else 'a stand-in'}"


@pytest.fixture(scope="session")
def built_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of this source, built by the verb that everybody calls. Not to be changed."""
    folder = tmp_path_factory.mktemp("built") / "build"
    Project(ROOT).must("build", "--out", str(folder))
    return folder


@contextmanager
def cloud(folder: Path, mongodb_uri: str | None = None) -> Iterator[dict[str, str]]:
    """Run a cloud of its own; give the settings to use it.

    Its database is `mongodb_uri`, or TEST_MONGODB_URI if that is set; never MONGODB_URI, which may
    hold real data.
    """
    command = [sys.executable, "-m", "localcloud"]
    database = mongodb_uri or os.environ.get("TEST_MONGODB_URI", "")
    environment = os.environ | {"MONGODB_URI": database}
    subprocess.run(
        [*command, "up", "--dir", str(folder)],
        cwd=ROOT,
        env=environment,
        check=True,
        timeout=180,
    )
    try:
        yield control.read_env(folder)
    finally:
        subprocess.run([*command, "down", "--dir", str(folder)], cwd=ROOT, check=True, timeout=60)


@pytest.fixture(scope="module")
def fresh_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A cloud that one test module has for itself."""
    with cloud(tmp_path_factory.mktemp("cloud") / "cloud") as settings:
        yield settings


@pytest.fixture(scope="module")
def quick_cloud(
    fresh_cloud: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The same, for a module that deploys to one environment only: Terraform is quicker there."""
    with provider.running(fresh_cloud, tmp_path_factory.mktemp("provider")) as running:
        yield fresh_cloud | running
