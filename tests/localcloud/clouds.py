"""localcloud as a person starts it, in folders of the tests' own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from localcloud import lifecycle
from scratch.project import Result
from scratch.source import ROOT


class Cloud:
    """`python -m localcloud … --dir <folder>`, with an environment that tests may change."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)

    def command(self, command: str) -> list[str]:
        return [sys.executable, "-m", "localcloud", command, "--dir", str(self.folder)]

    def run(self, command: str) -> Result:
        """Run a command to its end, whatever its exit status."""
        return subprocess.run(
            self.command(command),
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
        )

    def must(self, command: str) -> str:
        """Run a command, insist that it succeeds, and return its standard output."""
        done = self.run(command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """Start a command as a shell does: as the leader of a process group, which gets Ctrl-C."""
        # What runs in the background of a script ignores Ctrl-C, and its children would, too.
        return subprocess.Popen(
            ["env", "--default-signal=INT", *self.command(command)],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )

    @property
    def settings(self) -> dict[str, str]:
        return lifecycle.read_env(self.folder)

    @property
    def processes(self) -> dict[int, str]:
        """What runs and has to do with the folder: command lines by process id."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    command = (entry / "cmdline").read_bytes()
                    traces = command + (entry / "environ").read_bytes()
                    traces += os.readlink(entry / "cwd").encode()
                except OSError:
                    continue  # It ended meanwhile, or is somebody else's.
                if str(self.folder).encode() in traces:
                    found[int(entry.name)] = command.replace(b"\0", b" ").decode()
        return found

    def pids(self, word: str) -> list[int]:
        """Return the ids of the processes that have `word` in their command line."""
        return [pid for pid, command in self.processes.items() if word in command]


def eventually(condition: Callable[[], bool], patience_s: float = 600) -> bool:
    """Wait until `condition` holds, and say whether it came to hold."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
