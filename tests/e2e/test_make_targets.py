"""The Makefile's targets, and what they say when something that they need is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from scratch.project import Result
from scratch.source import ROOT

_TOOLS = ("bash", "make", "awk", "sed", "sort", "head", "printf", "cat", "cksum", "cut", "true")


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A PATH folder with the everyday tools, and neither Python nor Terraform."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in _TOOLS:
        found = shutil.which(tool)
        assert found
        (folder / tool).symlink_to(found)
    return folder


def _make(path: Path, *arguments: str) -> Result:
    # A make that another make starts prints lines of its own.
    environment = {name: os.environ[name] for name in os.environ if "MAKE" not in name}
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env=environment | {"PATH": str(path)},
        capture_output=True,
        text=True,
    )


def _program(folder: Path, name: str, prints: str) -> None:
    program = folder / name
    program.write_text(f"#!/usr/bin/env bash\nprintf '{prints}\\n'\n")
    program.chmod(0o755)


def test_help_is_the_default_and_lists_every_target(bare_path: Path) -> None:
    """One line each; a target without a description would be missing here."""
    targets = set(re.findall(r"^\.PHONY: (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE))
    done = _make(bare_path)
    assert done.returncode == 0, done.stderr
    listed = [line.split()[1] for line in done.stdout.splitlines()]
    assert sorted(listed) == sorted(targets - {"need-terraform"})


def test_no_terraform_is_one_clear_line(bare_path: Path) -> None:
    done = _make(bare_path, "need-terraform")
    assert done.returncode != 0
    assert done.stdout.count("\n") == 1
    assert "Terraform 1.10 or newer is needed" in done.stdout and "install it" in done.stdout


@pytest.mark.parametrize(("version", "good"), [("1.9.8", False), ("1.10.0", True), ("2.0.1", True)])
def test_terraform_must_be_new_enough(bare_path: Path, version: str, good: bool) -> None:
    _program(bare_path, "terraform", f"Terraform v{version}")
    done = _make(bare_path, "need-terraform")
    assert (done.returncode == 0) == good
    assert good or f"this is {version}" in done.stdout


def test_no_python_3_13_is_one_clear_line(bare_path: Path, tmp_path: Path) -> None:
    done = _make(bare_path, "setup", f"VENV={tmp_path / 'venv'}")
    assert done.returncode != 0
    assert done.stdout.count("\n") == 1
    assert "Python 3.13 is needed" in done.stdout and "install it" in done.stdout
    assert not (tmp_path / "venv").exists()
