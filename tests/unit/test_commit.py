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


def test_a_tree_with_changes_is_no_commit(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tracked file that changed, or a new file of the function; no other new file."""
    monkeypatch.setattr(commit, "SOURCE", repository)
    monkeypatch.setattr(commit, "FILES", ["shop"])
    monkeypatch.setattr(commit, "LAYER_LOCK", repository / "layer.txt")
    (repository / "shop").mkdir()
    tracked, new = repository / "notes.md", repository / "shop" / "prices.py"
    tracked.write_text("a")
    _git(repository, "add", ".")
    _git(repository, "commit", "--quiet", "-m", "Answer sooner")
    head = _git(repository, "rev-parse", "HEAD")
    (repository / "report.xml").write_text("of a job")
    assert commit.of_tree() == head
    new.write_text("")
    assert commit.of_tree() == f"{head}+changes"
    new.unlink()
    tracked.write_text("b")
    changed = commit.of_tree()
    assert changed == f"{head}+changes" and commit.has_changes(changed)
    assert commit.short(changed) == f"{head[:12]}+changes" and commit.short(head) == head[:12]


def test_outside_of_a_repository_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit.of_tree() is None and not commit.has_changes(None)
