"""GitHub's API, asked through its own client `gh`, which knows who is asking."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any


class GitHubUnknown(Exception):
    """GitHub could not be asked, or does not tell; the message says why."""


def get(path: str) -> Any | None:
    """Return what GitHub's REST API answers at a path, or None if there is nothing.

    Raises GitHubUnknown.
    """
    program = shutil.which("gh")
    if program is None:
        raise GitHubUnknown("there is no `gh` on PATH (https://cli.github.com)")
    done = subprocess.run([program, "api", path], capture_output=True, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout)
    if "(HTTP 404)" in done.stderr:
        return None
    raise GitHubUnknown(
        done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "gh failed"
    )
