"""Releases, each step with the role of the job that does it on GitHub."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scratch.project import Project
from tests.bootstrap.account import ACCOUNT, Account

STAGING, PRODUCTION = ("--environment", "staging"), ("--environment", "production")
_SETTINGS = "terraform/environments/staging/terraform.tfvars"


@dataclass
class Journey:
    """A project whose commands run with one role or another, and the calls that they made."""

    account: Account
    project: Project
    calls: list[dict[str, Any]] = field(default_factory=list)

    def run_as(self, role: str, *arguments: str) -> None:
        """Run a command with a role; fail if it fails."""
        self.project.environment = self.account.settings(role)
        self.project.must(*arguments)

    def set(self, line: str) -> None:
        """Add a line to staging's settings."""
        file = self.project.folder / _SETTINGS
        file.write_text(file.read_text() + line + "\n")

    @contextmanager
    def options(self) -> Iterator[None]:
        """Switch on every option of the service that needs permissions of its own."""
        file = self.project.folder / _SETTINGS
        before = file.read_text()
        ec2 = self.account.client("ec2")
        subnets = json.dumps([subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]])
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


def release_with_roles(account: Account, built_bundle: Path, folder: Path) -> Journey:
    """Release, change what can change, roll back, promote, and destroy staging.

    localcloud refuses what the role does not allow, as AWS does: a missing permission ends it.
    """
    journey = Journey(account, Project.copy_to(folder / "project"))
    project, before = journey.project, len(account.calls())
    for name in ("first", "second"):
        shutil.copytree(built_bundle, project.folder / name)
    journey.run_as("staging-deploy", "deploy", *STAGING, "--bundle", "first")
    project.append_to_handler("\nCHANGED = True\n")
    journey.set("memory_mb = 384\nlog_retention_days = 60\nthrottle_burst = 150")
    project.must("build", "--out", "second")
    # With provisioned concurrency, live has weights of Lambda's own for a while whenever it moved.
    account.client("ssm").put_parameter(
        Name="/localcloud/provisioned-delay", Value="2", Type="String"
    )
    with journey.options():
        # Lambda refuses a canary's weights on an alias that has provisioned concurrency.
        refused = project.run("deploy", *STAGING, "--bundle", "second")
        assert "live cannot move in steps" in refused.stdout + refused.stderr
        all_at_once = ("--bundle", "second", "--all-at-once")
        journey.run_as("staging-deploy", "deploy", *STAGING, *all_at_once)
        journey.run_as("staging-plan", "plan", *STAGING, "--bundle", "live")
    # The custom domain is not in the settings any more: a person has to allow that it goes.
    domain = [f"aws_apigatewayv2_{name}.custom" for name in ("api_mapping", "domain_name")]
    allowed = [word for address in domain for word in ("--allow-destroy", address)]
    reason = ("--reason", "the test wants it")
    journey.run_as("staging-rollback", "rollback", *STAGING, *reason, *allowed)
    journey.run_as("staging-plan", "plan", *STAGING, "--bundle", "first")
    again = ("--release-from-quarantine", "--reason", "the test wants it")
    journey.run_as("staging-deploy", "deploy", *STAGING, "--bundle", "second", *again)
    journey.run_as("production-plan", "plan", *PRODUCTION, "--bundle", "second")
    journey.run_as("production-deploy", "deploy", *PRODUCTION, "--bundle", "second")
    destroy(project, account.settings("staging-deploy"), "staging")
    journey.calls = [call for call in account.calls()[before:] if call["caller"] != "owner"]
    return journey


def destroy(project: Project, settings: dict[str, str], environment: str) -> None:
    """Destroy an environment and what it has."""
    project.environment = settings
    project.must("destroy", "--environment", environment, "--yes", environment)
