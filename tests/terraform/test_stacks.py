"""The Terraform stacks by themselves: valid, and true to what their plans must hold."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from localcloud import terraform_cli
from scratch.project import Result
from scratch.source import ROOT

pytestmark = pytest.mark.integration


@dataclass
class Stack:
    """A root module, and Terraform's settings: a data folder that has the provider, no backend."""

    directory: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> Result:
        return subprocess.run(
            ["terraform", f"-chdir={self.directory}", *arguments, "-no-color"],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )


@pytest.fixture(scope="module", params=["terraform", "terraform/bootstrap"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    folder = tmp_path_factory.mktemp("terraform")
    environment = os.environ | {"TF_DATA_DIR": str(folder / "data"), "TF_IN_AUTOMATION": "1"}
    if config := terraform_cli.cli_config(folder):
        environment["TF_CLI_CONFIG_FILE"] = str(config)
    stack = Stack(ROOT / request.param, environment)
    done = stack.run("init", "-backend=false", "-lockfile=readonly")
    assert done.returncode == 0, done.stdout + done.stderr
    return stack


def test_the_configuration_is_valid(stack: Stack) -> None:
    done = stack.run("validate")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_of_plan_time_hold(stack: Stack) -> None:
    """tests/*.tftest.hcl: bad values are refused, and the plan keeps its promises."""
    done = stack.run("test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failed" in done.stdout and "0 passed" not in done.stdout


def test_both_stacks_take_the_same_terraform_and_the_same_provider() -> None:
    """What each requires, and what its lock file has: two copies, for a stack stands by itself."""
    stacks = [ROOT / "terraform", ROOT / "terraform/bootstrap"]
    required = {(each / "versions.tf").read_text().partition("\n\n  #")[0] for each in stacks}
    locked = {(each / ".terraform.lock.hcl").read_text() for each in stacks}
    assert len(required) == len(locked) == 1 and "required_providers" in required.pop()


@pytest.mark.parametrize("name", ["local", "staging", "production"])
def test_an_environment_names_itself(name: str) -> None:
    """A copied file that still names another environment would deploy to the wrong one."""
    text = Path(ROOT, "terraform/environments", name, "terraform.tfvars").read_text()
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    found = {key.strip(): value.strip().strip('"') for key, value in values.items()}
    assert found["environment"] == name


@pytest.mark.parametrize("end", ["", "Init Duration: 190.40 ms\t"])
def test_the_memory_filter_takes_the_figure_out_of_lambdas_report(end: str) -> None:
    """Word by word, as "Filter pattern syntax" of CloudWatch Logs has it; `...` is any rest."""
    report = (
        "REPORT RequestId: 8f50\tDuration: 12.50 ms\tBilled Duration: 13 ms\tMemory Size: 256 MB\t"
        f"Max Memory Used: 71 MB\t{end}"
    )
    text = Path(ROOT, "terraform/metrics.tf").read_text().replace('\\"', "")
    [pattern] = re.findall(r"\[(report=.*), \.\.\.\]", text)
    fields = [field.partition("=") for field in pattern.split(", ")]
    words = dict(zip((name for name, _, _ in fields), report.split(), strict=False))
    assert len(words) == len(fields) <= len(report.split())
    assert all(words[name] == wanted for name, equal, wanted in fields if equal)
    assert words["used"] == "71"
