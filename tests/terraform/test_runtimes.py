"""What the inspection admits, the locked provider can plan."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from localcloud import provider_mirror
from pipeline.runtimes import RUNTIMES
from scratch.project import Result
from scratch.source import ROOT

pytestmark = pytest.mark.integration

_FUNCTION = """
resource "aws_lambda_function" "f{number}" {{
  function_name = "f"
  role          = "arn:aws:iam::123456789012:role/f"
  s3_bucket     = "bucket"
  s3_key        = "key"
  handler       = "f.f"
  runtime       = "{runtime}"
}}

resource "aws_lambda_layer_version" "l{number}" {{
  layer_name          = "l"
  s3_bucket           = "bucket"
  s3_key              = "key"
  compatible_runtimes = ["{runtime}"]
}}
"""


def _validate(folder: Path, *runtimes: str) -> Result:
    """Validate a function and a layer of each runtime with the provider that is locked."""
    for name in ("versions.tf", ".terraform.lock.hcl"):
        text = (ROOT / "terraform" / name).read_text()
        folder.joinpath(name).write_text(text.partition('\n\nprovider "aws"')[0])
    functions = [
        _FUNCTION.format(number=number, runtime=each) for number, each in enumerate(runtimes)
    ]
    folder.joinpath("main.tf").write_text("".join(functions))
    environment = os.environ | {"TF_DATA_DIR": str(folder / "data"), "TF_IN_AUTOMATION": "1"}
    if config := provider_mirror.cli_config(folder):
        environment["TF_CLI_CONFIG_FILE"] = str(config)

    def run(*arguments: str) -> Result:
        return subprocess.run(
            ["terraform", f"-chdir={folder}", *arguments, "-no-color"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    done = run("init", "-backend=false", "-lockfile=readonly")
    assert done.returncode == 0, done.stdout + done.stderr
    return run("validate")


def test_each_runtime_that_is_admitted_can_be_planned(tmp_path: Path) -> None:
    done = _validate(tmp_path, *RUNTIMES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_runtime_that_is_left_out_could_not(tmp_path: Path) -> None:
    """Once the provider takes it, it belongs into pipeline/runtimes.py."""
    done = _validate(tmp_path, "python3.14")
    assert "python3.14" not in RUNTIMES
    assert done.returncode == 1 and "expected runtime to be one of" in done.stderr, done.stderr
