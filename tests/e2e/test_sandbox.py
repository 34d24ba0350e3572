"""The throw-away account of sandbox.yml, played in this machine's cloud from empty to empty."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from scratch import cloud, sandbox_report
from scratch.sandbox import Sandbox, assume
from scratch.source import ROOT
from tests.bootstrap.account import token
from tests.support import provider

pytestmark = pytest.mark.extended

ACCOUNT = "123456789012"
REPOSITORY = "octo-org/mongo-client"
# All that AWS has at times and that a release meets (localcloud/conditions.py).
DELAYS = {"permission-delay": "3", "log-delay": "2", "log-page": "100", "metric-delay": "60"}
_SUBJECTS = {"plan": "ref:refs/heads/main", "deploy": "environment:production"}


@dataclass
class Played:
    """An account after the end: its journal, its owner's session, and what the steps did."""

    sandbox: Sandbox
    session: boto3.Session
    journal: Path

    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.journal.read_text().splitlines()]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """An account without a bucket, in which all steps were played."""
    folder = tmp_path_factory.mktemp("sandbox")
    key = folder / "credentials"
    with (
        cloud.running(folder / "cloud") as settings,
        provider.running(settings, credentials=key) as running,
        pytest.MonkeyPatch.context() as environment,
    ):
        for name, value in (settings | running).items():
            environment.setenv(name, value)
        session = boto3.Session(region_name=settings["AWS_REGION"])
        s3 = session.client("s3")
        for bucket in s3.list_buckets()["Buckets"]:
            s3.delete_bucket(Bucket=bucket["Name"])

        for name, value in DELAYS.items():
            session.client("ssm").put_parameter(
                Name=f"/localcloud/{name}", Value=value, Type="String"
            )

        def having(role: str) -> dict[str, str]:
            own = assume(session, ACCOUNT, role)
            if role.startswith("production"):
                # The trust that was added takes nothing from the one that bootstrap gave.
                own = _as_a_job(session, role)
            provider.write_credentials(key, settings | own)
            return own

        sandbox = Sandbox(folder, ACCOUNT, REPOSITORY, "1234/5678", having)
        sandbox.play()
        sandbox.destroy()
        yield Played(sandbox, session, Path(settings["TF_DATA_DIR"]).with_name("calls"))


def _as_a_job(session: boto3.Session, role: str) -> dict[str, str]:
    """Return a role's credentials, as a job on GitHub gets them for its identity token."""
    purpose = role.rpartition("-")[2]
    subject = _SUBJECTS[purpose]
    workflow = {"plan": "ci", "deploy": "release", "rollback": "rollback"}[purpose]
    answer = session.client("sts").assume_role_with_web_identity(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/mongo-client-{role}",
        RoleSessionName="GitHubActions",
        WebIdentityToken=token(
            sub=f"repo:{REPOSITORY}:{subject}",
            job_workflow_ref=f"{REPOSITORY}/.github/workflows/{workflow}.yml@refs/heads/main",
        ),
    )["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": answer["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": answer["SecretAccessKey"],
        "AWS_SESSION_TOKEN": answer["SessionToken"],
    }


def test_every_step_does_what_is_expected(played: Played) -> None:
    seen = played.sandbox.seen()
    assert not sandbox_report.differs(seen), sandbox_report.report(ACCOUNT, seen)
    assert list(seen) == [step.name for step in sandbox_report.STEPS]


def _command(played: Played, what: str, account: str) -> subprocess.CompletedProcess[str]:
    """Do what the workflow does in a step, with the owner's credentials."""
    return subprocess.run(
        [sys.executable, "-m", "scratch.sandbox", what, str(played.sandbox.folder), account],
        cwd=ROOT,
        env=os.environ
        | {
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_REPOSITORY_ID": "5678",
            "GITHUB_REPOSITORY_OWNER_ID": "1234",
        },
        capture_output=True,
        text=True,
    )


def test_the_report_says_so(played: Played) -> None:
    done = _command(played, "report", ACCOUNT)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith(f"## Account {ACCOUNT}: as expected")


@pytest.mark.parametrize("what", ["play", "destroy"])
def test_no_other_account_is_thrown_away(played: Played, what: str) -> None:
    before = len(played.calls())
    done = _command(played, what, "999999999999")
    assert done.returncode == 1 and f"are of account {ACCOUNT}" in done.stderr
    assert [call["operation"] for call in played.calls()[before:]] == ["GetCallerIdentity"]


def test_each_step_has_the_role_of_its_job(played: Played) -> None:
    """And nothing that a role did was refused."""
    calls = [call for call in played.calls() if call["caller"] != "owner"]
    assert {call["caller"] for call in calls} == {
        "mongo-client-staging",
        "mongo-client-staging-plan",
        "mongo-client-staging-deploy",
        "mongo-client-staging-rollback",
        "mongo-client-production",
        "mongo-client-production-plan",
        "mongo-client-production-deploy",
    }
    assert [call for call in calls if not call["allowed"]] == []


def test_nothing_is_left_that_costs(played: Played) -> None:
    assert played.session.client("s3").list_buckets()["Buckets"] == []
    assert played.session.client("lambda").list_functions()["Functions"] == []
    roles = played.session.client("iam").list_roles()["Roles"]
    assert [role for role in roles if "/aws-service-role/" not in role["Path"]] == []
