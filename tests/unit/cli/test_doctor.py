"""What the doctor finds in an environment's settings."""

from __future__ import annotations

from pathlib import Path

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
    assert found.remedy.endswith(place) == (state == "note")
