"""What drifts away from Terraform: drift.yml itself, after a rollback."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scratch.project import Project
from tests.workflows import deployed
from tests.workflows.act_log import Run
from tests.workflows.runner import Runner

pytestmark = [pytest.mark.extended, pytest.mark.usefixtures("ready_account")]

BOT = {"login": "github-actions[bot]"}
LABELLED = {"state": "open", "labels": ["drift"], "title": "Drift!", "body": "Look."}
# Neither is the workflow's issue, though both have its label.
OTHERS = [
    {"number": 7, "user": BOT, "pull_request": {"url": "…"}, **LABELLED},
    {"number": 8, "user": {"login": "somebody"}, **LABELLED},
]


@dataclass
class Drift:
    """Searches for drift, and the hub's issues after each; the comments at the end."""

    runs: list[Run]
    issues: list[list[dict[str, Any]]]
    comments: dict[int, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def drift(
    runner: Runner,
    ready_account: None,
    built_bundle: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Drift:
    """Production was rolled back; somebody changes the time limit by hand, and restores it."""
    project = runner.project(tmp_path_factory.mktemp("project") / "copy")
    Project.copy_to(project.folder)
    deployed.deploy(runner, project, built_bundle, "production")
    second = deployed.build_another(project, built_bundle)
    deployed.deploy(runner, project, second, "production")
    project.must("rollback", "--environment", "production", "--reason", "it was bad")

    hub = runner.hub
    hub.issues += [dict(each) for each in OTHERS]
    functions = deployed.client(runner, "lambda")
    name = "mongo-client-production"
    before = functions.get_function_configuration(FunctionName=name)["Timeout"]
    seen = Drift([], [], hub.comments)
    for timeout_s in (before + 1, before):
        functions.update_function_configuration(FunctionName=name, Timeout=timeout_s)
        seen.runs.append(runner.run("schedule", "drift.yml", {}))
        assert hub.issues[:2] == OTHERS
        seen.issues.append([dict(issue) for issue in hub.issues[2:]])
    return seen


def test_drift_opens_an_issue(drift: Drift) -> None:
    """It names what is different, in which environment, and shows no value."""
    assert all(run.succeeded for run in drift.runs), [run.why() for run in drift.runs]
    [opened] = drift.issues[0]
    assert opened["state"] == "open" and "Plan for production" in opened["body"]
    assert "time limit" in opened["body"] and "aws_lambda_function.service" in opened["body"]


def test_the_issue_is_closed_when_they_agree_again(drift: Drift) -> None:
    """With what a rollback restored, and the tree that was deployed last, the plan is empty."""
    [closed] = drift.issues[1]
    assert closed["state"] == "closed" and closed["number"] == drift.issues[0][0]["number"]
    [comment] = drift.comments[closed["number"]]
    assert "agree again" in comment["body"]


def test_what_was_never_deployed_has_not_drifted(drift: Drift) -> None:
    notices = [annotation["message"] for annotation in drift.runs[0].annotations]
    assert notices == ["Nothing was deployed to staging yet."]
