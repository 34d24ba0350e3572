"""What the roles may do: all that releases need, and nothing else.

One story, each chapter with the role of the job that plays it on GitHub. Whatever its role does not
allow is refused here as it is on AWS, so a missing permission stops the story; what the roles grant
beyond what was called is found in the journal.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.policies import like
from tests.bootstrap.conftest import Account
from tests.project import Project


@dataclass
class Story:
    """A project whose commands run with one role or another."""

    account: Account
    project: Project

    def play(self, role: str, *arguments: str) -> str:
        """Run a verb with a role; fail if it fails."""
        self.project.environment = {**self.account.cloud, **self.account.credentials(role)}
        return self.project.must(*arguments)

    def change(self, path: str, old: str, new: str) -> None:
        file = self.project.folder / path
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))

    def build(self, name: str) -> str:
        self.project.must("build", "--out", name)
        return name


@pytest.fixture(scope="module")
def story(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Release, change everything that can change, roll back, promote, and take all of it away."""
    cloud = account.cloud
    story = Story(account, Project.copy_to(tmp_path_factory.mktemp("story") / "project", cloud))
    staging, production = ("--environment", "staging"), ("--environment", "production")
    first = story.build("first")
    story.play("staging-deploy", "deploy", *staging, "--bundle", first)
    story.project.append_to_handler("\nCHANGED = True\n")
    settings = story.project.folder / "terraform/environments/staging/terraform.tfvars"
    settings.write_text(settings.read_text() + "memory_mb = 384\n")
    second = story.build("second")
    story.play("staging-deploy", "deploy", *staging, "--bundle", second)
    story.play("staging-plan", "plan", *staging, "--bundle", "live")
    story.play("staging-rollback", "rollback", *staging, "--reason", "the story wants it")
    story.play("staging-plan", "plan", *staging, "--bundle", first)
    again = ("--release-from-quarantine", "--reason", "the story wants it")
    story.play("staging-deploy", "deploy", *staging, "--bundle", second, *again)
    story.play("production-plan", "plan", *production, "--bundle", second)
    story.play("production-deploy", "deploy", *production, "--bundle", second)
    return story


def test_every_chapter_was_allowed(story: Story) -> None:
    refused = [call for call in story.account.calls() if not call["allowed"]]
    assert not refused, refused[:3]
