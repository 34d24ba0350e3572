"""`pipeline init` makes a copy of this repository that of another function."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scratch.project import Project
from scratch.source import ROOT

_GIT = ("git", "-c", "user.name=somebody", "-c", "user.email=@", "-c", "commit.gpgsign=false")


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run([*_GIT, "-C", str(folder), *arguments], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """A clone of this repository, as it is here."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"]
    for name in filter(None, subprocess.check_output(listed, text=True).split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    _git(tmp_path, "init")
    _git(tmp_path, "add", "--all")
    _git(tmp_path, "commit", "--message", "copy")
    return Project(tmp_path)


def test_a_plain_function_is_tested_built_and_inspected(fresh: Project) -> None:
    """It needs no packages; nothing of mongo-client's stays but in documents."""
    done = fresh.run("init", "order-book")
    assert done.returncode == 0, done.stderr
    for name in (
        "lambda_function.py",
        "layer",
        "demo",
        "benchmarks",
        "tests/unit",
        "docs/function.md",
    ):
        assert not (fresh.folder / name).exists()
    own = ("order_book.py", "tests/test_order_book.py")
    for command in (
        ("pytest", "-q", "--tier", "check"),
        ("black", "--check", *own),
        ("flake8", *own),
        ("mypy", *own),
        ("tests.workflows.validate",),
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=fresh.folder,
            env=fresh.process_environment() | {"PYTEST_ADDOPTS": "-p no:cacheprovider"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    linter = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    done = subprocess.run(linter, cwd=fresh.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    targets = subprocess.check_output(
        ["make", "-s", "help"], cwd=fresh.folder, text=True, stderr=subprocess.STDOUT
    )
    assert "make check" in targets
    assert "No such file" not in targets and "make fuzz" not in targets
    built = fresh.run("build")
    assert "order_book.handler can be imported from the built packages" in built.stderr
    assert fresh.must("inspect").endswith("no findings\n")


@pytest.mark.parametrize("name", ["Orders", "a", "order_book", "1orders", "x" * 40])
def test_a_name_that_aws_would_refuse_is_refused(fresh: Project, name: str) -> None:
    done = fresh.run("init", name)
    assert done.returncode == 2 and "is not 3 to 34 lower-case letters" in done.stderr
    assert (fresh.folder / "lambda_function.py").exists()


def test_nothing_that_git_does_not_have_is_taken_away(fresh: Project) -> None:
    """Not what is uncommitted, nor a function that somebody made already."""
    notes = fresh.folder / "notes.txt"
    notes.write_text("mine")
    done = fresh.run("init", "orders")
    assert done.returncode == 2 and "notes.txt" in done.stderr
    assert (fresh.folder / "lambda_function.py").exists()
    notes.unlink()
    fresh.must("init", "orders")
    _git(fresh.folder, "add", "--all")
    _git(fresh.folder, "commit", "--message", "orders")
    done = fresh.run("init", "more-orders")
    assert done.returncode == 2 and "function.toml already describes orders" in done.stderr
