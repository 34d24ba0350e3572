"""An account of localcloud, its roles, and the journal of the calls to it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from scratch.project import Project, Result
from tests.support import provider

IDS = "1234/5678"
SUBJECT = "repo:octo-org@1234/mongo-client@5678"
ACCOUNT = "123456789012"
# Of the identity provider that the account has already.
AUDIENCES = ["https://github.com/somebody-else", "sts.amazonaws.com"]
# All options of bootstrap, so that the journey can prove what each of them needs.
OPTIONS = (
    'options = ["code_signing", "custom_domain", "provisioned_concurrency", "reserved_concurrency",'
    ' "vpc"]\n'
)


def token(**claims: str) -> str:
    """Return an identity token as GitHub gives it to a job, with these claims."""
    payload = {
        "iss": "https://token.actions.githubusercontent.com",
        "aud": "sts.amazonaws.com",
        "ref": "refs/heads/main",
        "repository_id": "5678",
        **claims,
    }
    encoded = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
    return f"e30.{encoded}.c2lnbmF0dXJl"


def subject_of(role: str) -> str:
    """Return the subject of a job that is meant to have a role (<environment>-<purpose>)."""
    environment, _, purpose = role.partition("-")
    return (
        SUBJECT
        + {
            "plan": ":pull_request",
            "deploy": f":environment:{environment}",
            "rollback": f":environment:{environment}-rollback",
        }[purpose]
    )


def workflow_of(role: str) -> str:
    """Return the claim `job_workflow_ref` of a job that is meant to have a role."""
    file = {"plan": "ci", "deploy": "release", "rollback": "rollback"}[role.partition("-")[2]]
    return f"octo-org/mongo-client/.github/workflows/{file}.yml@refs/heads/main"


@dataclass
class Account:
    """An account of this machine's cloud.

    `cloud` has the owner's settings, which also make Terraform use a provider that keeps running.
    `provider_key` is the file that this provider reads its access key from.
    """

    cloud: Mapping[str, str]
    journal: Path
    project: Project
    provider_key: Path
    made_ready: list[Result] = field(default_factory=list)
    examined: list[Result] = field(default_factory=list)

    def settings(self, role: str | None = None) -> dict[str, str]:
        """Let commands run with a role, or as the owner; return their environment variables.

        The provider uses the same access key from its next run on.
        """
        settings = {**self.cloud, **(self.credentials(role) if role else {})}
        provider.write_credentials(self.provider_key, settings)
        return settings

    def client(self, service: Any, credentials: Mapping[str, str] | None = None) -> Any:
        """Return a client, of the owner or with a role's credentials."""
        own = credentials or self.cloud
        return boto3.client(
            service,
            endpoint_url=self.cloud["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id=own["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=own["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=own.get("AWS_SESSION_TOKEN"),
        )

    def assume(self, role: str, identity: str) -> dict[str, str]:
        """Exchange an identity token for a role's credentials; raise ClientError if refused."""
        answer = self.client("sts").assume_role_with_web_identity(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/mongo-client-{role}",
            RoleSessionName="GitHubActions",
            WebIdentityToken=identity,
        )["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": answer["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": answer["SecretAccessKey"],
            "AWS_SESSION_TOKEN": answer["SessionToken"],
        }

    def credentials(self, role: str) -> dict[str, str]:
        return self.assume(role, token(sub=subject_of(role), job_workflow_ref=workflow_of(role)))

    def calls(self) -> list[dict[str, Any]]:
        """Return every call that was made, as the journal has it."""
        return [json.loads(line) for line in self.journal.read_text().splitlines()]
