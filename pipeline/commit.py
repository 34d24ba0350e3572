"""A commit of this repository, as git describes it."""

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
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%s", commit, "--"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
