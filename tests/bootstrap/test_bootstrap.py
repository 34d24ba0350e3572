"""From an empty account to a prepared one: bootstrap, and the doctor that examines it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import DEPLOYED_FROM_GITHUB, PURPOSES, Environment
from tests.bootstrap.account import ACCOUNT, AUDIENCES, IDS, Account
from scratch.project import Result
from scratch.source import ROOT
from tests.workflows.fake_github import REPOSITORY, Hub, serving, settings_of_gh

pytestmark = pytest.mark.integration

BUCKETS = [f"mongo-client-{purpose}-{ACCOUNT}" for purpose in ("terraform-state", "artifacts")]


def test_it_can_be_run_again(account: Account) -> None:
    """The second run changes nothing, and prints the same commands for GitHub."""
    first, second = account.made_ready
    assert "No changes." in second.stderr and "No changes." not in first.stderr
    assert second.stdout == first.stdout


def test_it_prints_the_commands_for_github(account: Account) -> None:
    lines = account.made_ready[0].stdout.splitlines()
    assert f"gh variable set AWS_ACCOUNT_ID --repo {REPOSITORY} --body {ACCOUNT}" in lines
    assert f"gh variable set AWS_REGION --repo {REPOSITORY} --body us-east-1" in lines


def test_it_takes_the_identity_provider_that_is_there(account: Account) -> None:
    """An account has one for GitHub, which others may use: nothing of it is changed."""
    iam = account.client("iam")
    [arn] = [
        provider["Arn"]
        for provider in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    ]
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert found["ClientIDList"] == AUDIENCES and not found.get("Tags")


def _state(account: Account) -> Any:
    state = account.client("s3").get_object(Bucket=BUCKETS[0], Key="mongo-client/bootstrap.tfstate")
    return json.load(state["Body"])


def test_its_state_is_in_the_bucket_that_it_made(account: Account) -> None:
    assert "aws_s3_bucket" in {resource["type"] for resource in _state(account)["resources"]}


def test_what_it_made_is_called_as_the_pipeline_and_the_workflows_call_it(account: Account) -> None:
    """Its outputs are what Terraform made; the others derive the names, each in one place."""
    made = {name: each["value"] for name, each in _state(account)["outputs"].items()}
    account.project.environment = account.settings()
    ours = account.project.account()
    environments = [Environment(name) for name in DEPLOYED_FROM_GITHUB]
    assert made["state_bucket"] == ours.state_bucket
    assert made["artifact_bucket"] == ours.artifact_bucket
    assert made["permissions_boundaries"] == {
        environment.name: environment.permissions_boundary for environment in environments
    }
    assert made["role_arns"] == {
        f"{environment.name}-{purpose}": ours.iam_arn(f"role/{environment.role_name(purpose)}")
        for environment in environments
        for purpose in PURPOSES
    }
    prefix = ours.github_variables["AWS_ROLE_PREFIX"]
    assert all(arn == prefix + role for role, arn in made["role_arns"].items())
    policies = account.client("iam").list_policies(Scope="Local", MaxItems=100)["Policies"]
    assert {environment.api_policy for environment in environments} <= {
        policy["PolicyName"] for policy in policies
    }


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_is_versioned_encrypted_private_and_tidy(account: Account, bucket: str) -> None:
    s3 = account.client("s3")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True} and len(block) == 4
    statements = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert {"Bool": {"aws:SecureTransport": "false"}} in [
        statement["Condition"] for statement in statements
    ]
    assert {statement["Effect"] for statement in statements} == {"Deny"}
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert any("NoncurrentVersionExpiration" in rule for rule in rules)


def test_what_holds_data_cannot_be_destroyed(account: Account) -> None:
    """`terraform destroy` is refused until a person removes the guard."""
    project = account.project
    given = {"repository": REPOSITORY, "service": "mongo-client", "layer": "pymongo"}
    given["environments"] = '["staging", "production"]'
    given["repository_ids"] = "{ owner = 1234, repository = 5678 }"
    project.environment = account.settings()
    settings = project.process_environment() | {
        f"TF_VAR_{name}": value for name, value in given.items()
    }
    planned = subprocess.run(
        ["terraform", "-chdir=terraform/bootstrap", "plan", "-destroy", "-no-color", "-lock=false"],
        cwd=project.folder,
        env=settings,
        capture_output=True,
        text=True,
    )
    assert planned.returncode == 1 and "Instance cannot be destroyed" in planned.stderr
    for name in ("aws_s3_bucket.pipeline", "aws_iam_openid_connect_provider.github"):
        assert name in planned.stderr


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("--repository", "mongo-client"), "OWNER/NAME"),
        (("--repository", "octo-org/*"), "OWNER/NAME"),
        (("--repository", REPOSITORY, "--ids", "1"), "gh api repos/"),
        (("--repository", REPOSITORY), "gh api repos/"),  # and nobody is logged in at GitHub
    ],
)
def test_a_wrong_call_changes_nothing(
    account: Account, arguments: tuple[str, ...], hint: str
) -> None:
    before = len(account.calls())
    account.project.environment = account.settings()
    done = account.project.run("bootstrap", *arguments, "--yes")
    assert done.returncode == 2 and hint in done.stderr
    assert len(account.calls()) == before


def test_without_a_terminal_nothing_is_confirmed(account: Account) -> None:
    account.project.environment = account.settings()
    done = subprocess.run(
        account.project.command("bootstrap", "--repository", REPOSITORY, "--ids", IDS),
        cwd=account.project.folder,
        env=account.project.process_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and f"Prepare account {ACCOUNT} for" in done.stdout + done.stderr


def test_the_doctor_examines_an_empty_account(account: Account) -> None:
    """What is missing is listed, with the command that creates it."""
    [before] = account.examined
    assert before.returncode == 1 and "error[not-ready]" in before.stderr
    for what in (*(f"bucket {name}" for name in BUCKETS), "role mongo-client-production-deploy"):
        assert f"failed  {what}" in before.stdout
    assert "python -m pipeline bootstrap --repository OWNER/NAME" in before.stdout


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """GitHub as bootstrap's last lines leave it."""
    folder = tmp_path_factory.mktemp("hub")
    with serving(Hub(folder / "origin", folder)) as hub:
        hub.variables = {
            "AWS_ACCOUNT_ID": ACCOUNT,
            "AWS_REGION": "us-east-1",
            "AWS_ROLE_PREFIX": f"arn:aws:iam::{ACCOUNT}:role/mongo-client-",
            "SERVICE": "mongo-client",
        }
        for environment in ("staging", "production"):
            hub.reviewers_of |= {environment: False, f"{environment}-rollback": False}
        hub.reviewers_of["production-approval"] = True
        hub.rules = json.loads((ROOT / ".github/ruleset.json").read_text())["rules"]
        yield hub


def _examine(account: Account, hub: Hub, folder: Path, *more: str) -> Result:
    project = account.project
    project.environment = {**account.settings(), **settings_of_gh(hub, folder)}
    return project.run("doctor", "--repository", REPOSITORY, *more)


def test_the_doctor_examines_a_prepared_account(account: Account, hub: Hub, tmp_path: Path) -> None:
    """All that is left to say: the settings name no topic for the alarms."""
    done = _examine(account, hub, tmp_path, "--json")
    findings: list[dict[str, Any]] = json.loads(done.stdout)
    left = [finding for finding in findings if finding["state"] != "ok"]
    assert done.returncode == 0, left
    assert [each["what"] for each in left] == ["alarms of staging", "alarms of production"]
    assert any(finding["what"] == "GitHub variable AWS_REGION" for finding in findings)


def test_the_doctor_says_what_to_run(account: Account, hub: Hub, tmp_path: Path) -> None:
    """A variable with another account's number, an environment and a rule that are gone."""
    hub.rules = [rule for rule in hub.rules if rule["type"] != "non_fast_forward"]
    hub.variables["AWS_ACCOUNT_ID"] = "999999999999"
    del hub.reviewers_of["production-rollback"]
    done = _examine(account, hub, tmp_path)
    assert done.returncode == 1 and "incomplete on main: non_fast_forward" in done.stdout
    assert "/rulesets --input .github/ruleset.json" in done.stdout
    assert f"gh variable set AWS_ACCOUNT_ID --repo {REPOSITORY} --body {ACCOUNT}" in done.stdout
    path = f"repos/{REPOSITORY}/environments/production-rollback"
    only_main = "-F 'deployment_branch_policy[custom_branch_policies]=true'"
    assert f"gh api --silent --method PUT {path}" in done.stdout and only_main in done.stdout


def test_the_doctor_of_a_job_notes_what_its_role_may_not_read(account: Account) -> None:
    """A plan's role may not read roles: that is a note, and no failure."""
    project = account.project
    project.environment = account.settings("staging-plan")
    done = project.run("doctor", "--json")
    findings = {each["what"]: each for each in json.loads(done.stdout)}
    assert findings["role mongo-client-staging-deploy"]["state"] == "note"
    assert "AWS refused" in findings["role mongo-client-staging-deploy"]["detail"]
