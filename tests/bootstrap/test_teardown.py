"""Everything that bootstrap and releases made is destroyed: by command, and by docs/teardown.md.

This module sorts last, for nothing is left of the account that the other modules use.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from scratch.source import ROOT
from tests.bootstrap.account import ACCOUNT, AUDIENCES, Account
from tests.bootstrap.journey import destroy

pytestmark = pytest.mark.extended


def test_the_accounts_part_can_be_destroyed(account: Account) -> None:
    """Only the identity provider is left, which other repositories may use."""
    project, s3, iam = account.project, account.client("s3"), account.client("iam")
    assert len(s3.list_buckets()["Buckets"]) == 2 and len(iam.list_roles()["Roles"]) >= 6
    # Nothing was ever released to the last one.
    for environment in ("staging", "production", "local"):
        destroy(project, account.settings(), environment)

    mark = "destroy the account's part -->"
    commands = (ROOT / "docs/teardown.md").read_text().split(mark)[1].rpartition("<!--")[0]
    # There is no terminal to confirm at.
    commands = commands.replace("terraform destroy", "terraform destroy -auto-approve")
    commands = commands.replace("-migrate-state", "-migrate-state -force-copy")
    done = subprocess.run(
        ["bash", "-euxc", textwrap.dedent(commands)],
        cwd=project.folder,
        env=project.process_environment()
        | {"ACCOUNT": ACCOUNT, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert s3.list_buckets()["Buckets"] == []
    # A role that a service made for itself is AWS's, and stays.
    roles = [role for role in iam.list_roles()["Roles"] if "/aws-service-role/" not in role["Path"]]
    assert roles == []
    [provider] = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"])
    assert found["ClientIDList"] == AUDIENCES
