"""What the tests of the account share: one that bootstrap has made ready."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scratch import cloud
from scratch.project import Project
from tests.bootstrap.account import AUDIENCES, IDS, OPTIONS, Account
from tests.workflows.hub import REPOSITORY


@pytest.fixture(scope="package")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A bare account, made ready twice by `pipeline bootstrap`, and examined before and after."""
    with cloud.running(tmp_path_factory.mktemp("account") / "cloud") as settings:
        journal = Path(settings["TF_DATA_DIR"]).with_name("calls")
        project = Project.copy_to(tmp_path_factory.mktemp("bootstrap") / "project", settings)
        account = Account(settings, journal, project)
        for bucket in account.client("s3").list_buckets()["Buckets"]:
            account.client("s3").delete_bucket(Bucket=bucket["Name"])
        account.client("iam").create_open_id_connect_provider(
            Url="https://token.actions.githubusercontent.com", ClientIDList=AUDIENCES
        )
        (project.folder / "terraform/bootstrap/terraform.tfvars").write_text(OPTIONS)
        account.examined.append(project.run("doctor"))
        for _ in range(2):
            done = project.run(
                *("bootstrap", "--repository", REPOSITORY, "--ids", IDS, "--yes"), timeout_s=600
            )
            assert done.returncode == 0, done.stderr
            account.made_ready.append(done)
        yield account
