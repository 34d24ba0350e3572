"""What the doctor finds in an environment's settings."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import config
from pipeline.cli import doctor
from pipeline.config import Environment


@pytest.mark.parametrize(
    ("setting", "state"),
    [
        ("", "note"),
        ("alarm_topic_arn = null", "note"),
        ('# alarm_topic_arn = "arn:aws:sns:us-east-1:123456789012:alarms"', "note"),
        ('alarm_topic_arn      = "arn:aws:sns:us-east-1:123456789012:alarms"', "ok"),
    ],
)
def test_alarms_without_a_topic_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, state: str
) -> None:
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    monkeypatch.setattr(config, "TERRAFORM_DIR", tmp_path / "terraform")
    file = Environment("staging").variables_file
    file.parent.mkdir(parents=True)
    file.write_text(f'environment = "staging"\n{setting}\n')
    found = doctor._alarms(Environment("staging"))
    assert (found.what, found.state) == ("alarms of staging", state)
    place = "terraform/environments/staging/terraform.tfvars"
    assert found.hint.endswith(place) == (state == "note")


_OURS = "repo:octo-org/mongo-client:environment:staging"


def _trust(*statements: dict[str, Any]) -> Any:
    document = {"Role": {"AssumeRolePolicyDocument": {"Statement": [*statements]}}}
    return SimpleNamespace(iam=SimpleNamespace(get_role=lambda RoleName: document))


def _jobs(*subjects: str) -> dict[str, Any]:
    named: Any = subjects[0] if len(subjects) == 1 else [*subjects]
    return {
        "Principal": {"Federated": "arn:aws:iam::123456789012:oidc-provider/…"},
        "Condition": {
            "StringEquals": {
                "token.actions.githubusercontent.com:sub": named,
                "token.actions.githubusercontent.com:repository_id": "2",
            }
        },
    }


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        ([_jobs(_OURS)], ""),
        ([_jobs(_OURS, "repo:octo-org@1/mongo-client@2:pull_request")], ""),
        ([_jobs("repo:evil/mongo-client:pull_request")], "it trusts repo:evil/"),
        # A statement that somebody added, as for a sandbox.
        (
            [_jobs(_OURS), {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}],
            'it trusts repo:octo-org/mongo-client:environment:staging, {"AWS": "arn:aws:iam::',
        ),
    ],
)
def test_a_role_that_trusts_somebody_else_is_found(
    statements: list[dict[str, Any]], problem: str
) -> None:
    found = doctor._role(_trust(*statements), "a role", "octo-org/mongo-client")
    assert found.startswith(problem) and bool(found) == bool(problem)
