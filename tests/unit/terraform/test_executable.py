"""A Terraform that cannot be used is named as what it is."""

from pathlib import Path

import pytest

from pipeline.errors import TerraformError
from pipeline.terraform import runner


@pytest.mark.parametrize(
    "output, what",
    [
        ("Terraform v1.5.7\\non linux_amd64", "Terraform 1.5.7 is too old: {path}"),
        ("no such command", "{path} does not print Terraform's version"),
    ],
)
def test_a_terraform_that_cannot_be_used_is_named(
    output: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "terraform"
    path.write_text(f"#!/bin/sh\nprintf '{output}\\n'\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(TerraformError) as caught:
        runner.version()
    assert caught.value.message == what.format(path=path)
    assert "Install Terraform" in caught.value.hint
