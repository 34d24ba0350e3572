"""SnapStart: many environments are restored from one snapshot of an imported handler."""

from __future__ import annotations

import subprocess
import sys

from scratch.source import ROOT

# Lambda restores the memory of a process, so its copies have the same id. A fork copies memory as
# well, and os.getpid stands for the id that stays.
_RESTORE = """
import os
os.getpid = lambda: 9
import lambda_function
from bson import ObjectId
for _ in range(2):
    if os.fork() == 0:
        os.write(1, f"{ObjectId()}\\n".encode())
        os._exit(0)
    os.wait()
"""


def test_restored_environments_make_different_ids() -> None:
    """Two documents that are inserted in the same second must not get the same ObjectId.

    Its bytes 4 to 8 are random and made once in a process; the other eight are time and a counter,
    which the copies share ("Working with uniqueness for Lambda SnapStart", AWS Lambda).
    """
    done = subprocess.run(
        [sys.executable, "-c", _RESTORE], cwd=ROOT, check=True, capture_output=True, text=True
    )
    first, second = done.stdout.split()
    assert first[8:18] != second[8:18]
