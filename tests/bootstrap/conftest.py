"""An account that bootstrap has prepared, and a journey of releases with its roles."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scratch import cloud
from scratch.project import Project
from scratch.source import ROOT
from tests.bootstrap.account import AUDIENCES, IDS, OPTIONS, Account
from tests.bootstrap.journey import Journey, release_with_roles
from tests.support import provider
from tests.workflows.fake_github import REPOSITORY


@pytest.fixture(scope="package")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An empty account, examined, and then prepared twice by `pipeline bootstrap`."""
    folder = tmp_path_factory.mktemp("account")
    key = folder / "credentials"
    with (
        cloud.running(folder / "cloud") as settings,
        provider.running(settings, credentials=key) as running,
    ):
        project = Project.copy_to(folder / "project")
        shutil.copytree(ROOT / ".github", project.folder / ".github")
        account = Account(
            settings | running, Path(settings["TF_DATA_DIR"]).with_name("calls"), project, key
        )
        project.environment = account.settings()
        for bucket in account.client("s3").list_buckets()["Buckets"]:
            account.client("s3").delete_bucket(Bucket=bucket["Name"])
        account.client("iam").create_open_id_connect_provider(
            Url="https://token.actions.githubusercontent.com", ClientIDList=AUDIENCES
        )
        (project.folder / "terraform/bootstrap/terraform.tfvars").write_text(OPTIONS)
        account.examined.append(project.run("doctor"))
        for _ in range(2):
            # The provider waits for a minute until S3 has a bucket's lifecycle rules.
            done = project.run("bootstrap", "--repository", REPOSITORY, "--ids", IDS, "--yes")
            assert done.returncode == 0, done.stderr
            account.made_ready.append(done)
        yield account


@pytest.fixture(scope="package")
def journey(
    account: Account, built_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Journey:
    """Releases to staging and production, each step with the role of the job that does it."""
    return release_with_roles(account, built_bundle, tmp_path_factory.mktemp("journey"))
