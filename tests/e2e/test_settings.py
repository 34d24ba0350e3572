"""A change of settings alone is a release, and Terraform is set up no more often than it must."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.support.service import Service
from scratch.project import Project

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def staging(
    quick_cloud: dict[str, str], built_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Service:
    folder = tmp_path_factory.mktemp("settings") / "project"
    staging = Service.copy_to(folder, quick_cloud, built_bundle, "staging")
    staging.must("deploy", "--bundle", str(built_bundle))
    return staging


def test_a_change_of_settings_alone_is_a_release(staging: Service) -> None:
    """The plan names what changes; the new version serves; Terraform agrees afterwards."""
    before = dict(staging.project.environment)
    bundle = ("--bundle", staging.releases()[0]["bundle"][:12])
    staging.project.environment |= {
        "TF_VAR_memory_mb": "512",
        "TF_VAR_timeout_s": "8",
        "TF_VAR_tracing_mode": "Active",
        "TF_VAR_log_format": "JSON",
        "TF_VAR_throttle_burst": "50",
        "TF_VAR_throttle_requests_per_second": "20",
        "TF_VAR_log_retention_days": "7",
    }
    plan = json.loads(staging.must("plan", *bundle, "--json"))
    changed = {change["address"]: change["attributes"] for change in plan["changes"]}
    assert changed["aws_lambda_function.service"] == [
        "logging_config.log_format",
        "memory_size",
        "timeout",
        "tracing_config.mode",
    ]
    assert "as v2" in staging.must("deploy", *bundle)
    assert staging.configuration()["MemorySize"] == 512
    assert staging.must("plan", *bundle).strip() == "No changes."
    staging.project.environment.clear()
    staging.project.environment.update(before)


def test_terraform_is_set_up_once_and_again_for_another_state(
    staging: Service, tmp_path: Path
) -> None:
    """Both environments share Terraform's data folder here."""
    log, program = tmp_path / "log", tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$*" >> {log}\nexec {shutil.which("terraform")} "$@"\n')
    program.chmod(0o755)
    path = {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    project = Project(staging.project.folder, {**staging.project.environment, **path})

    def plan(environment: str) -> tuple[str, int]:
        log.unlink(missing_ok=True)
        words = project.must(
            *("plan", "--environment", environment, "--bundle", str(staging.built))
        )
        return words, log.read_text().count(" init ")

    words, set_up = plan("production")
    assert words.lstrip().startswith("+ ") and set_up == 1
    assert plan("staging")[1] == 1
    assert plan("staging")[1] == 0
