"""The subject of a commit: as git has it, None where git does not have it, and nothing acts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipeline import commit


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, instead of this one."""
    monkeypatch.setattr(commit, "ROOT", tmp_path)
    _git(tmp_path, "init", "--quiet")
    return tmp_path


def _git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_subject_is_the_first_line_of_the_message(repository: Path) -> None:
    _git(repository, "commit", "--quiet", "--allow-empty", "-m", "Answer sooner\n\nWith reasons.")
    head = _git(repository, "rev-parse", "HEAD")
    assert commit.subject(head) == commit.subject(head[:12]) == "Answer sooner"


@pytest.mark.parametrize("unknown", [None, "", "c0ffee" * 6, "--output=file", "HEAD"])
def test_a_commit_that_git_does_not_have_has_none(repository: Path, unknown: str | None) -> None:
    """Nor does a manifest that somebody else wrote give git an option."""
    _git(repository, "commit", "--quiet", "--allow-empty", "-m", "Answer sooner")
    assert commit.subject(unknown) is None
    assert not (repository / "file").exists()


def test_without_git_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert commit.subject("c0ffee" * 6) is None
