"""The policies of terraform/bootstrap as data, as a plan has them: nothing is created for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from localcloud.iam.evaluation import Request, allow
from scratch.sandbox import trusting
from scratch.source import ROOT
from tests.bootstrap.account import ACCOUNT

ENVIRONMENTS = ("staging", "production")
OPTIONS = (
    *("code_signing", "custom_domain", "provisioned_concurrency"),
    *("reserved_concurrency", "vpc"),
)
type Statement = Mapping[str, Any]
# As bootstrap's trust policies have it, without a subject: no job gets the roles.
_TRUSTS_NO_JOB = {
    "Effect": "Allow",
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/example.com"},
    "Condition": {"StringEquals": {"token.actions.githubusercontent.com:sub": []}},
}


@dataclass(frozen=True)
class Policies:
    """What terraform/bootstrap would create: documents by the name of policy, role and bucket."""

    service: str
    managed: Mapping[str, Mapping[str, Any]]
    attached: Mapping[str, tuple[str, ...]]
    buckets: Mapping[str, Mapping[str, Any]]

    def statements(self, role: str) -> Iterator[tuple[str, Statement]]:
        """Yield the statements of a role (<environment>-<purpose>), with the policy's name."""
        for policy in self.attached[role]:
            for statement in self.managed[policy]["Statement"]:
                yield policy, statement

    def allow(self, role: str, request: Request) -> bool:
        """Return whether a role may do something."""
        return allow([self.managed[policy] for policy in self.attached[role]], request)


def render(
    folder: Path,
    settings: Mapping[str, str],
    *,
    service: str = "mongo-client",
    layer: str = "pymongo",
    region: str = "us-east-1",
    options: tuple[str, ...] = OPTIONS,
) -> Policies:
    """Plan the account's stack in a cloud with these `settings`, and return its policies."""
    environment = os.environ | settings | {"TF_DATA_DIR": str(folder / "data")}
    _make_what_is_there(settings, service)
    source = folder / "bootstrap"
    shutil.copytree(
        ROOT / "terraform/bootstrap",
        source,
        ignore=shutil.ignore_patterns("*.tfvars", ".terraform"),
    )
    # Without the state bucket's backend, nothing but this folder is written.
    (source / "override.tf").write_text(
        f'terraform {{\n  backend "local" {{}}\n}}\nprovider "aws" {{\n  region = "{region}"\n}}\n'
    )
    given = {"service": service, "layer": layer, "repository": "octo-org/mongo-client"}
    given["environments"] = json.dumps(ENVIRONMENTS)
    given["options"] = json.dumps(options)
    given["repository_ids"] = "{ owner = 1234, repository = 5678 }"
    variables = [argument for each in given.items() for argument in ("-var", "=".join(each))]
    _terraform(source, environment, "init", "-lockfile=readonly")
    _terraform(source, environment, "plan", "-out=plan", *variables)
    plan = json.loads(_terraform(source, environment, "show", "-json", "plan"))
    return _read(service, plan)


def _make_what_is_there(settings: Mapping[str, str], service: str) -> None:
    """Make what the stack imports, and the APIs that it keeps from one another."""
    s3, apis = (_client(each, settings) for each in ("s3", "apigatewayv2"))
    there = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for purpose in ("terraform-state", "artifacts"):
        name = f"{service}-{purpose}-{ACCOUNT}"
        if name not in there:
            s3.create_bucket(Bucket=name)
    for environment in ENVIRONMENTS:
        apis.create_api(Name=f"{service}-{environment}", ProtocolType="HTTP")


def _client(service: Any, settings: Mapping[str, str]) -> Any:
    return boto3.client(
        service,
        endpoint_url=settings["AWS_ENDPOINT_URL"],
        region_name=settings["AWS_REGION"],
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
    )


def _terraform(folder: Path, environment: Mapping[str, str], command: str, *arguments: str) -> str:
    colourless = () if command == "show" else ("-input=false",)
    done = subprocess.run(
        ["terraform", command, "-no-color", *colourless, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _read(service: str, plan: Mapping[str, Any]) -> Policies:
    by_type: dict[str, list[dict[str, Any]]] = {}
    for resource in plan["planned_values"]["root_module"]["resources"]:
        by_type.setdefault(resource["type"], []).append(resource)
    managed = {
        each["values"]["name"].removeprefix(f"{service}-"): json.loads(each["values"]["policy"])
        for each in by_type["aws_iam_policy"]
    }
    attached: dict[str, tuple[str, ...]] = {}
    for attachment in by_type["aws_iam_role_policy_attachment"]:
        role, _, policy = attachment["index"].partition("/")
        environment = role.partition("-")[0]
        attached[role] = (*attached.get(role, ()), f"{environment}-{policy}")
    buckets = {
        each["index"]: json.loads(each["values"]["policy"])
        for each in by_type["aws_s3_bucket_policy"]
    }
    return Policies(service, managed, attached, buckets)


def install(policies: Policies, settings: Mapping[str, str]) -> None:
    """Create the policies, the roles that have them, and the buckets' policies, in a cloud."""
    iam, s3 = (_client(each, settings) for each in ("iam", "s3"))
    for name, document in policies.managed.items():
        iam.create_policy(
            PolicyName=f"{policies.service}-{name}", PolicyDocument=json.dumps(document)
        )
    no_job = {"Version": "2012-10-17", "Statement": [_TRUSTS_NO_JOB]}
    trust = json.dumps(trusting(no_job, ACCOUNT))
    for role, attached in policies.attached.items():
        name = f"{policies.service}-{role}"
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        for policy in attached:
            arn = f"arn:aws:iam::{ACCOUNT}:policy/{policies.service}-{policy}"
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    for purpose, document in policies.buckets.items():
        bucket = f"{policies.service}-{purpose}-{ACCOUNT}"
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
