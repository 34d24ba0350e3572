"""Commits of this repository, as git describes them."""

from __future__ import annotations

import re
import subprocess

from pipeline.config import ROOT

_ID = re.compile(r"[0-9a-f]{7,64}")


def subject(commit: str | None) -> str | None:
    """Return the first line of a commit's message, or None where git does not have the commit."""
    if commit is None or not _ID.fullmatch(commit):
        return None
    # https://git-scm.com/docs/git-log#_pretty_formats
    return _git("log", "-1", "--format=%s", commit, "--")


def head() -> str | None:
    """Return the commit that is checked out, or None outside a git repository."""
    return _git("rev-parse", "HEAD")


def _git(*arguments: str) -> str | None:
    """Return what a command of git prints; None if it prints nothing, fails, or there is no git."""
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
