"""The Terraform stacks by themselves: valid, and true to what their plans must hold."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scratch.project import Result
from scratch.source import ROOT
from tests.support import provider

pytestmark = pytest.mark.integration

STACKS = ["terraform", "terraform/bootstrap"]


@pytest.fixture(scope="module")
def reattach(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A provider that keeps running, which the stacks need no `terraform init` for."""
    with provider.running({}) as running:
        data_dir = tmp_path_factory.mktemp("terraform")
        yield running | {"TF_DATA_DIR": str(data_dir), "TF_IN_AUTOMATION": "1"}


def _terraform(directory: str, environment: dict[str, str], *arguments: str) -> Result:
    return subprocess.run(
        ["terraform", f"-chdir={ROOT / directory}", *arguments, "-no-color"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("stack", STACKS)
def test_the_configuration_is_valid(stack: str, reattach: dict[str, str]) -> None:
    done = _terraform(stack, reattach, "validate")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("stack", STACKS)
def test_the_rules_of_plan_time_hold(stack: str, reattach: dict[str, str]) -> None:
    """tests/*.tftest.hcl: bad values are refused, and the plan keeps its promises."""
    done = _terraform(stack, reattach, "test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Success! [1-9]\d* passed, 0 failed", done.stdout)


def test_both_stacks_take_the_same_terraform_and_the_same_provider() -> None:
    """What each requires, and what its lock file has: two copies, for a stack stands by itself."""
    stacks = [ROOT / stack for stack in STACKS]
    required = {(stack / "versions.tf").read_text().partition("\n\n  #")[0] for stack in stacks}
    locked = {(stack / ".terraform.lock.hcl").read_text() for stack in stacks}
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
