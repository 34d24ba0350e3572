"""How far pip has come with what it downloads, by what it says itself."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence

from pipeline.console import Bar

# What pip is to be asked for. Each line is then: Progress 81920 of 1690000
RAW = ("--progress-bar", "raw")
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_FILE = re.compile(r"\s*(?:Downloading|Using cached) (\S+)")


def run(command: Sequence[str], bar: Bar) -> tuple[int, str]:
    """Run pip to its end; return its exit status, and what it complained of."""
    name = ""
    # Not a pipe: nobody reads it before the end.
    with tempfile.TemporaryFile("w+") as complaints:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=complaints, text=True
        ) as process:
            assert process.stdout
            for line in process.stdout:
                if found := _FILE.match(line):
                    name = found[1].rpartition("/")[2]
                if found := _PROGRESS.match(line):
                    done, total = int(found[1]), int(found[2])
                    bar.update(done, f"{done:,} of {total:,} bytes  {name}", total=total)
        complaints.seek(0)
        return process.returncode, complaints.read()
