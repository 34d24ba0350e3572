"""What people change and a first release does not: tags, a certificate, signing profiles, a trust.

With the roles, the locked provider, and plans that are empty afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scratch import cloud
from scratch.project import Project
from tests.bootstrap.account import ACCOUNT
from tests.bootstrap.rendered import install, render
from tests.support import provider

pytestmark = pytest.mark.extended

_ENVIRONMENT = ("--environment", "staging")
_CERTIFICATE = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/12345678-1234-1234-1234-12345678901"
_PROFILE = f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-profiles/p/abcdefghi"


@dataclass
class Staging:
    """A project that is deployed with the roles of staging."""

    project: Project
    settings: dict[str, str]
    credentials: Path

    def run(self, purpose: str, *arguments: str) -> str:
        """Run a command with a role, Terraform's provider with the same."""
        sts = self.project.client("sts")
        role = f"arn:aws:iam::{ACCOUNT}:role/mongo-client-staging-{purpose}"
        assumed = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        session = {
            "AWS_ACCESS_KEY_ID": assumed["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": assumed["SecretAccessKey"],
            "AWS_SESSION_TOKEN": assumed["SessionToken"],
        }
        provider.write_credentials(self.credentials, session)
        self.project.environment = self.settings | session
        return self.project.must(*arguments)

    def deploy(self) -> None:
        self.run("deploy", "deploy", *_ENVIRONMENT)
        plan = json.loads(self.run("plan", "plan", *_ENVIRONMENT, "--bundle", "live", "--json"))
        assert plan["empty"], plan["changes"]

    def replace(self, file: str, before: str, after: str) -> None:
        path = self.project.folder / "terraform" / file
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    """An environment with the options whose resources change apart from the function."""
    with cloud.running(tmp_path / "cloud") as settings:
        credentials = tmp_path / "credentials"
        provider.write_credentials(credentials, settings)
        with provider.running(settings, credentials) as reattached:
            settings |= reattached
            install(render(tmp_path, settings), settings)
            staging = Staging(
                Project.copy_to(tmp_path / "project", settings), settings, credentials
            )
            variables = f"""
                custom_domain = {{ name = "api.example.com", certificate_arn = "{_CERTIFICATE}2" }}
                code_signing = {{
                  signing_profile_version_arns     = ["{_PROFILE}j"]
                  untrusted_artifact_on_deployment = "Warn"
                }}
                """
            file = staging.project.folder / "terraform/environments/staging/terraform.tfvars"
            file.write_text(file.read_text() + variables)
            staging.project.must("build")
            yield staging


def test_what_people_change_can_be_changed(staging: Staging) -> None:
    """A plan with another role is empty after each deployment: it sees every tag."""
    staging.deploy()
    staging.replace("versions.tf", "service     = var.service", 'service = var.service\ncost = "1"')
    staging.replace("environments/staging/terraform.tfvars", f"{_CERTIFICATE}2", f"{_CERTIFICATE}3")
    staging.replace("environments/staging/terraform.tfvars", f"{_PROFILE}j", f"{_PROFILE}k")
    staging.replace("role.tf", "Execution role of", "Role of")
    staging.replace(
        "role.tf",
        '["lambda.amazonaws.com"]',
        '["lambda.amazonaws.com", "edgelambda.amazonaws.com"]',
    )
    staging.deploy()
    apis = staging.project.client("apigatewayv2")
    [api] = [each for each in apis.get_apis()["Items"] if each.get("Tags", {}).get("cost")]
    domain = apis.get_domain_name(DomainName="api.example.com")
    assert domain["DomainNameConfigurations"][0]["CertificateArn"] == f"{_CERTIFICATE}3"
    assert apis.get_stage(ApiId=api["ApiId"], StageName="$default")["Tags"]["cost"] == "1"
    staging.replace("versions.tf", 'cost = "1"', "")
    staging.deploy()
    assert "cost" not in apis.get_api(ApiId=api["ApiId"])["Tags"]
