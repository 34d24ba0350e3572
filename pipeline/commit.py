"""Commits of this repository, as git describes them."""

from __future__ import annotations

import re
import subprocess

from pipeline.config import FILES, LAYER_LOCK, ROOT, SOURCE

# Stands behind the commit of a bundle that was built from a tree with uncommitted changes.
CHANGES = "+changes"

_ID = re.compile(r"[0-9a-f]{7,64}")


def of_tree() -> str | None:
    """Return the commit that is checked out, or None outside a git repository.

    `+changes` follows it if a tracked file differs from the commit, or if the function has a file
    that git does not track.
    """
    head = _git("rev-parse", "HEAD")
    if head is None:
        return None
    own = [str(SOURCE / name) for name in FILES] + [str(LAYER_LOCK)]
    status = ("--no-optional-locks", "status", "--porcelain")
    changed = _git(*status, "--untracked-files=no")
    changed = changed or _git(*status, "--untracked-files=all", "--", *own)
    return f"{head}{CHANGES}" if changed else head


def has_changes(commit: str | None) -> bool:
    """Return whether a bundle was built from a tree with uncommitted changes."""
    return commit is not None and commit.endswith(CHANGES)


def short(commit: str) -> str:
    """Return a commit in as many digits as people compare, with `+changes` if there were any."""
    return commit.removesuffix(CHANGES)[:12] + CHANGES * has_changes(commit)


def subject(commit: str | None) -> str | None:
    """Return the first line of a commit's message, or None where git does not have the commit."""
    if commit is None or not _ID.fullmatch(commit):
        return None
    # https://git-scm.com/docs/git-log#_pretty_formats
    return _git("log", "-1", "--format=%s", commit, "--")


def _git(*arguments: str) -> str | None:
    """Return what a command of git prints; None if it prints nothing, fails, or there is no git."""
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    except FileNotFoundError:
        return None
    return (done.stdout.strip() or None) if done.returncode == 0 else None
