"""A localcloud of its own, started and stopped as a person does it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcloud import lifecycle
from scratch.source import ROOT


@contextmanager
def running(folder: Path, mongodb_uri: str | None = None) -> Iterator[dict[str, str]]:
    """Run a localcloud with its files in `folder`; yield the environment variables to use it.

    Its database is `mongodb_uri`, or TEST_MONGODB_URI if that is set; never MONGODB_URI, which may
    hold real data.
    """
    command = [sys.executable, "-m", "localcloud"]
    database = mongodb_uri or os.environ.get("TEST_MONGODB_URI", "")
    subprocess.run(
        [*command, "up", "--dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"MONGODB_URI": database},
        check=True,
    )
    try:
        yield lifecycle.read_env(folder)
    finally:
        subprocess.run([*command, "down", "--dir", str(folder)], cwd=ROOT, check=True)
