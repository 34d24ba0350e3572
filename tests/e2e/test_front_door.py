"""The front door: the Makefile's targets, what they say when something is missing, the demo."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import release_page
from scratch.project import Result, outside_of_a_job
from scratch.source import ROOT

pytestmark = pytest.mark.extended

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
    # Not as a part of the make that runs the tests, which would say so.
    environment = {name: os.environ[name] for name in os.environ if "MAKE" not in name}
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env=environment | {"PATH": str(path)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def _program(folder: Path, name: str, prints: str) -> None:
    program = folder / name
    program.write_text(f"#!/usr/bin/env bash\nprintf '{prints}\\n'\n")
    program.chmod(0o755)


def test_help_is_the_default_and_lists_every_target(bare_path: Path) -> None:
    """One line each; a target without a description would be missing here."""
    targets = set(re.findall(r"^\.PHONY: (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE))
    told = _make(bare_path)
    assert told.returncode == 0, told.stderr
    listed = [line.split()[1] for line in told.stdout.splitlines()]
    assert sorted(listed) == sorted(targets - {"need-terraform"})


def test_no_terraform_is_one_clear_line(bare_path: Path) -> None:
    told = _make(bare_path, "need-terraform")
    assert told.returncode != 0
    assert told.stdout.count("\n") == 1
    assert "Terraform 1.10 or newer is needed" in told.stdout and "install it" in told.stdout


@pytest.mark.parametrize(("version", "good"), [("1.9.8", False), ("1.10.0", True), ("2.0.1", True)])
def test_terraform_must_be_new_enough(bare_path: Path, version: str, good: bool) -> None:
    _program(bare_path, "terraform", f"Terraform v{version}")
    told = _make(bare_path, "need-terraform")
    assert (told.returncode == 0) == good
    assert good or f"this is {version}" in told.stdout


def test_no_python_3_13_is_one_clear_line(bare_path: Path, tmp_path: Path) -> None:
    told = _make(bare_path, "setup", f"VENV={tmp_path / 'venv'}")
    assert told.returncode != 0
    assert told.stdout.count("\n") == 1
    assert "Python 3.13 is needed" in told.stdout and "install it" in told.stdout
    assert not (tmp_path / "venv").exists()


def test_the_demo_takes_a_change_there_and_back(tmp_path: Path) -> None:
    """Source to running function, called, replaced and rolled back; only the page is left."""
    scratch, page = tmp_path / "scratch", tmp_path / "page"
    scratch.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "localcloud", "demo", "--page", str(page)],
        cwd=ROOT,
        env=outside_of_a_job() | {"TMPDIR": str(scratch), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout
    told = re.findall(r"answered by version 1: [\d,]+, version 2: [\d,]+; failed: 0", done.stdout)
    # Each where it was counted, and again in the story at the end.
    assert len(told) == 4 and told[:2] == told[2:], done.stdout
    assert '"drink":"coffee"' in done.stdout.replace('": "', '":"')
    assert "No changes." in done.stdout and "rollback to 1" in done.stdout
    assert re.search(r"total +[\d.]+ +47", done.stdout)
    assert list(scratch.iterdir()) == []
    _, _, story = done.stdout.partition("== What happened\n")
    lines = story.splitlines()
    assert [line[:11].strip() for line in lines] == [
        *("release 1", "release 2", "", "release 3", "", "Terraform", "The page of"),
    ]
    assert lines[-1].endswith((page / "index.html").as_uri())
    releases = release_page.told(page / "index.html")["releases"]
    assert [(each["number"], each["kind"], each["reason"]) for each in releases] == [
        (3, "rollback", "we liked the old one better"),
        (2, "deploy", "the change"),
        (1, "deploy", "the first release"),
    ]
