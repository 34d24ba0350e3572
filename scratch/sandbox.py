"""A throw-away AWS account from bootstrap to destroy, and a report of where AWS differed.

    python -m scratch.sandbox play FOLDER ACCOUNT       all but the end
    python -m scratch.sandbox destroy FOLDER ACCOUNT    the end, whatever was reached
    python -m scratch.sandbox report FOLDER ACCOUNT     Markdown; exit status 1 if anything differed

The caller is an administrator of the account, which has the service's parameters for both
environments. Each step is done with the role of the job that does it on GitHub. The roles trust
GitHub's identity tokens alone, with the subject of one job each, and a job cannot have another
job's subject: so each role is given a second trust, in the account itself. The permissions of the
roles are what is played here; their trust in GitHub is not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.config import SERVICE
from scratch import sandbox_report as steps
from scratch.project import Project
from scratch.sandbox_report import ADMINISTRATOR, CUT_OFF, Seen, Step
from scratch.source import ROOT

_STAGING, _PRODUCTION = ("--environment", "staging"), ("--environment", "production")
_SETTINGS = "terraform/environments/staging/terraform.tfvars"
# "Changes that I make are not always immediately visible" in the IAM user guide: it names no time.
_PATIENCE_S = 60


class StepFailedError(Exception):
    """A step failed, and those after it build on it."""


@dataclass
class Sandbox:
    """The project in a folder, and the account that its steps are played in.

    `ids` are the repository's owner's and its own. `settings` returns the environment variables
    that a command needs to have a role.
    """

    folder: Path
    account: str
    repository: str
    ids: str
    settings: Callable[[str], Mapping[str, str]]

    def play(self) -> None:
        """Play the steps up to the end, until one fails."""
        project = Project.copy_to(self.folder / "project")
        bootstrap = ("bootstrap", "--repository", self.repository, "--ids", self.ids, "--yes")
        plan = ("plan", *_STAGING, "--bundle", "live")
        project.must("build", "--out", "first")
        try:
            self._verb(steps.BOOTSTRAP, *bootstrap)
            self._verb(steps.BOOTSTRAP_AGAIN, *bootstrap)
            self._verb(steps.RELEASE, "deploy", *_STAGING, "--bundle", "first")
            self._verb(steps.AFTER_RELEASE, *plan)
            self._verb(steps.PROMOTION, "deploy", *_PRODUCTION, "--bundle", "first")
            self._verb(steps.RELEASE_AGAIN, "deploy", *_STAGING, "--bundle", "first")
            self._verb(steps.AFTER_PROMOTION, "plan", *_PRODUCTION, "--bundle", "first")
            before = (project.folder / _SETTINGS).read_text()
            project.append_to_handler("\nCHANGED = True\n")
            (project.folder / _SETTINGS).write_text(f"{before}\nmemory_mb = 384\n")
            project.must("build", "--out", "second")
            self._verb(steps.CHANGE, "deploy", *_STAGING, "--bundle", "second")
            self._verb(steps.AFTER_CHANGE, *plan)
            self._verb(steps.ROLLBACK, "rollback", *_STAGING, "--reason", "the sandbox plays it")
            self._verb(steps.AFTER_ROLLBACK, *plan)
        except StepFailedError:
            return

    def destroy(self) -> None:
        """Destroy what was made: the environments with the command, the rest as teardown.md says.

        The account's part stays if a release is left: Terraform would lose the state of it.
        """
        if not (self.folder / "project").exists():
            Project.copy_to(self.folder / "project")
        released = self.seen()
        try:
            if steps.RELEASE.name in released:
                self._verb(steps.DESTROY, "destroy", *_STAGING, "--yes", "staging")
            if steps.PROMOTION.name in released:
                destroy = ("destroy", *_PRODUCTION, "--yes", "production")
                self._verb(steps.DESTROY_PRODUCTION, *destroy)
            account = _commands("destroy the account's part")
            account = account.replace("terraform destroy ", "terraform destroy -auto-approve ")
            account = account.replace("-migrate-state", "-migrate-state -force-copy")
            self._run(steps.DESTROY_ACCOUNT, ["bash", "-euxc", account])
        except StepFailedError:
            return

    def seen(self) -> dict[str, Seen]:
        """Return what the steps did so far, by their names."""
        if not self._seen.exists():
            return {}
        return {name: Seen(**each) for name, each in json.loads(self._seen.read_text()).items()}

    @property
    def _seen(self) -> Path:
        return self.folder / "seen.json"

    def _verb(self, step: Step, *arguments: str) -> None:
        self._run(step, Project(self.folder / "project").command(*arguments))

    def _run(self, step: Step, command: list[str]) -> None:
        """Do a step with its role, and write down what it did; raise StepFailedError."""
        print(f"{step.name}, as {step.role}", file=sys.stderr, flush=True)
        self._write(step, CUT_OFF)
        try:
            settings = dict(self.settings(step.role))
        except (BotoCoreError, ClientError) as problem:
            seen = Seen(1, stderr=f"{step.role} cannot be assumed: {problem}")
        else:
            path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
            names = {"ACCOUNT": self.account, "ENVIRONMENT": "staging", "PATH": path}
            project = Project(self.folder / "project", settings | names)
            done = subprocess.run(
                command,
                cwd=project.folder,
                env=project.process_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
            seen = Seen(done.returncode, done.stdout, done.stderr)
        self._write(step, seen)
        if seen.status:
            raise StepFailedError(step.name)

    def _write(self, step: Step, seen: Seen) -> None:
        everything = self.seen() | {step.name: seen}
        self._seen.write_text(json.dumps({name: asdict(each) for name, each in everything.items()}))


def trusting(trust: Mapping[str, Any], account: str) -> dict[str, Any]:
    """Return a role's trust policy with which an administrator of the account can assume it, too.

    Source: "AWS JSON policy elements: Principal" in the IAM user guide.
    """
    own = {
        "Sid": "Sandbox",
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
    }
    others = [statement for statement in trust["Statement"] if statement.get("Sid") != own["Sid"]]
    return {**trust, "Statement": [*others, own]}


def assume(session: boto3.Session, account: str, role: str) -> dict[str, str]:
    """Return the environment variables of a role that bootstrap made, or of the administrator."""
    if role == ADMINISTRATOR:
        return {}
    name = f"{SERVICE}-{role}"
    iam: Any = session.client("iam")
    sts = session.client("sts")
    found = iam.get_role(RoleName=name)["Role"]
    trust = trusting(found["AssumeRolePolicyDocument"], account)
    if trust != found["AssumeRolePolicyDocument"]:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    given_up = time.monotonic() + _PATIENCE_S
    while True:
        try:
            answer = sts.assume_role(RoleArn=found["Arn"], RoleSessionName="sandbox")
            break
        except ClientError as problem:
            refused = problem.response["Error"]["Code"] == "AccessDenied"
            if not refused or time.monotonic() > given_up:
                raise
            time.sleep(2)
    return {
        "AWS_ACCESS_KEY_ID": answer["Credentials"]["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": answer["Credentials"]["SecretAccessKey"],
        "AWS_SESSION_TOKEN": answer["Credentials"]["SessionToken"],
    }


def _commands(what: str) -> str:
    """Return docs/teardown.md's commands for something, with the service's name of now."""
    text = (ROOT / "docs/teardown.md").read_text().partition(f"<!-- {what} -->")[2]
    commands = text.partition(f"<!-- /{what} -->")[0]
    if not commands:
        raise ValueError(f"docs/teardown.md has no commands marked <!-- {what} -->")
    return textwrap.dedent(commands).replace("mongo-client", SERVICE)


def main() -> None:
    """Run the command that the first argument names."""
    what, folder, account = sys.argv[1:]
    session = boto3.Session(region_name=os.environ.get("AWS_REGION"))
    sandbox = Sandbox(
        Path(folder).resolve(),
        account,
        os.environ["GITHUB_REPOSITORY"],
        f"{os.environ['GITHUB_REPOSITORY_OWNER_ID']}/{os.environ['GITHUB_REPOSITORY_ID']}",
        lambda role: assume(session, account, role),
    )
    if what == "report":
        print(steps.report(account, sandbox.seen()))
        sys.exit(steps.differs(sandbox.seen()))
    # What is destroyed is gone for good: not in an account that nobody named.
    if (at_hand := session.client("sts").get_caller_identity()["Account"]) != account:
        sys.exit(f"the credentials are of account {at_hand}, and {account} is to be thrown away")
    {"play": sandbox.play, "destroy": sandbox.destroy}[what]()


if __name__ == "__main__":
    main()
