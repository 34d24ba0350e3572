"""What all tests share: their order, a built bundle, a cloud on this machine."""

from __future__ import annotations

import fcntl
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from xdist.scheduler import LoadFileScheduling

from pipeline import commit
from pipeline.aws import Aws
from scratch import cloud
from tests.support import provider
from scratch.project import Project
from scratch.source import ROOT

# The slowest files first, so that no worker is left alone with one of them at the end.
_SLOWEST_FIRST = (
    "workflows/test_change.py",
    "bootstrap",
    "workflows/test_merge.py",
    "e2e/test_journey.py",
    "e2e/test_sandbox.py",
    "packages/test_packages.py",
    "workflows/test_drift.py",
    "e2e/test_interrupted.py",
    "e2e/test_canary.py",
    "e2e/test_runbook.py",
    "e2e/test_adapting.py",
    "e2e/test_job.py",
    "e2e/test_rollback.py",
    "crash/test_sample.py",
    "e2e/test_demo.py",
    "service",
    "e2e/test_operations.py",
)


# Folders whose files share what is slow to make: one worker runs them all.
_SHARING = ("bootstrap", "service")


def _unit(name: str) -> str:
    folder = name.partition("/")[0]
    return folder if folder in _SHARING else name


def pytest_xdist_auto_num_workers() -> int:
    """Start two workers for each core: a deployment mostly waits for AWS."""
    return 2 * (os.cpu_count() or 1)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let one worker run a whole file, or a whole folder that shares."""
    scheduler = LoadFileScheduling(config, log)
    scheduler._split_scope = lambda nodeid: _unit(nodeid.split("::")[0].removeprefix("tests/"))
    return scheduler


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the slowest files first."""
    ranks = {name: rank for rank, name in enumerate(_SLOWEST_FIRST)}
    names = {item: item.path.relative_to(ROOT / "tests").as_posix() for item in items}
    items.sort(key=lambda item: ranks.get(_unit(names[item]), len(ranks)))


def pytest_report_header() -> str:
    """Return who exchanges the jobs' identity tokens in the tests of the workflows."""
    real = os.environ.get("CONFIGURE_AWS_CREDENTIALS")
    return f"configure-aws-credentials: {f'the real one, in {real}' if real else 'a stand-in'}"


@pytest.fixture(scope="session")
def built_bundle(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The bundle of this source, built once by `pipeline build` for all workers. Read only.

    It names the commit alone, although the source may have changes while somebody works on it: only
    `local` accepts a bundle of uncommitted source. Its id does not depend on the commit.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent
    with (shared / "built.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        manifest = shared / "built" / "manifest.json"
        if not manifest.exists():
            Project(ROOT).must("build", "--out", str(manifest.parent))
            manifest.write_text(manifest.read_text().replace(commit.CHANGES, ""))
    return shared / "built"


@pytest.fixture(scope="module")
def fresh_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A cloud that one test module has for itself."""
    with cloud.running(tmp_path_factory.mktemp("cloud") / "cloud") as settings:
        yield settings


@pytest.fixture(scope="module")
def quick_cloud(fresh_cloud: dict[str, str]) -> Iterator[dict[str, str]]:
    """The same with a provider that keeps running: Terraform is three times as quick there."""
    with provider.running(fresh_cloud) as running:
        yield fresh_cloud | running


@pytest.fixture(scope="module")
def moto_server() -> Iterator[str]:
    """S3 as moto serves it over HTTP."""
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def account(moto_server: str) -> Aws:
    """An account with nothing in it but its two buckets, which are empty."""
    urllib.request.urlopen(f"{moto_server}/moto-api/reset", data=b"").close()
    session = boto3.Session("key", "secret", region_name="us-east-1")
    account = Aws(
        account_id="123456789012",
        region="us-east-1",
        functions=session.client("lambda", endpoint_url=moto_server),
        s3=session.client("s3", endpoint_url=moto_server),
        session=session,
    )
    for bucket in (account.artifact_bucket, account.state_bucket):
        account.s3.create_bucket(Bucket=bucket)
    return account
