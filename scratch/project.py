"""A scratch copy of the project, in which a test can change files and run commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from pipeline.aws import Aws
from pipeline.config import HANDLER_FILE
from scratch import source

Result = subprocess.CompletedProcess[str]


def outside_of_a_job() -> dict[str, str]:
    """Return this process's environment, without the GitHub job that it may be part of.

    The job's summary and outputs are not those of what a test runs.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}


def quicken(folder: Path) -> None:
    """Let a copy of the project watch its canaries everywhere as briefly as in `local`."""
    environments = folder / "terraform" / "environments"
    local = (environments / "local" / "rollout.toml").read_text()
    for path in environments.glob("*/rollout.toml"):
        after = [line for line in path.read_text().splitlines() if line.startswith("after")]
        path.write_text("\n".join([local, *after]))


@dataclass
class Project:
    """A copy of what a deployment needs, and the environment that its commands run in."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def copy_to(cls, folder: Path, environment: Mapping[str, str] | None = None) -> Project:
        """Copy the project into `folder`, which must not exist."""
        source.copy_to(folder)
        quicken(folder)
        return cls(folder, dict(environment or {}))

    @property
    def handler(self) -> Path:
        return self.folder / HANDLER_FILE.relative_to(source.ROOT)

    def append_to_handler(self, text: str) -> None:
        """Change the handler by adding to its end."""
        self.handler.write_text(self.handler.read_text() + text)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pipeline", *arguments]

    def process_environment(self) -> dict[str, str]:
        return outside_of_a_job() | self.environment

    def run(self, *arguments: str) -> Result:
        """Run `python -m pipeline …` to its end, whatever its exit status."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.process_environment(),
            capture_output=True,
            text=True,
        )

    def must(self, *arguments: str) -> str:
        """Run `python -m pipeline …`, insist that it succeeds, and return its standard output."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def client(self, service: Any) -> Any:
        """Return a client of an AWS service, as a person at the console would have."""
        return boto3.client(
            service,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name=self.environment["AWS_REGION"],
            aws_access_key_id="person",
            aws_secret_access_key="person",
        )

    def account(self) -> Aws:
        """Return the account, as its owner sees it, for what of the pipeline runs in a test."""
        settings = self.environment
        session = boto3.Session(
            aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
            region_name=settings["AWS_REGION"],
        )
        url = settings["AWS_ENDPOINT_URL"]
        account = session.client("sts", endpoint_url=url).get_caller_identity()["Account"]
        functions = session.client("lambda", endpoint_url=url)
        s3 = session.client("s3", endpoint_url=url)
        return Aws(account, settings["AWS_REGION"], functions, s3, session)
