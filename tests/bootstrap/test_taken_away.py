"""An account that was made ready is given back, as the README says."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.bootstrap.account import ACCOUNT
from scratch.project import Project
from scratch.source import ROOT
from tests.workflows.hub import REPOSITORY

pytestmark = pytest.mark.extended


def test_the_accounts_part_can_be_taken_away(fresh_cloud: dict[str, str], tmp_path: Path) -> None:
    """Nothing is left but what others may use."""
    project = Project.copy_to(tmp_path / "project", fresh_cloud)
    s3, iam = project.client("s3"), project.client("iam")
    project.must("bootstrap", "--repository", REPOSITORY, "--yes")
    assert len(s3.list_buckets()["Buckets"]) == 2 and len(iam.list_roles()["Roles"]) == 6

    mark = "destroy the account's part -->"
    commands = (ROOT / "README.md").read_text().split(mark)[1].rpartition("<!--")[0]
    # Nobody is there to be asked.
    commands = commands.replace("terraform destroy", "terraform destroy -auto-approve")
    commands = commands.replace("-migrate-state", "-migrate-state -force-copy")
    done = subprocess.run(
        ["bash", "-euxc", textwrap.dedent(commands)],
        cwd=project.folder,
        env=project.process_environment()
        | {"ACCOUNT": ACCOUNT, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert s3.list_buckets()["Buckets"] == [] and iam.list_roles()["Roles"] == []
    [provider] = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert provider["Arn"].endswith("token.actions.githubusercontent.com")
