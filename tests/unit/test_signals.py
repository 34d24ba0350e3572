"""Two signals to stop, as GitHub's runner sends them before it kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pipeline.config import Environment
from pipeline.signals import deferred_signals
from pipeline.terraform import runner
from pipeline.terraform.runner import Terraform, service_stack
from scratch.source import ROOT


@pytest.fixture(autouse=True)
def _python_handles_sigint() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt here: a shell's background job begins with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


# Not a shell's script: dash may end when SIGINT arrives while it starts a program.
_TERRAFORM = """#!PYTHON
import os, signal, sys, time
from pathlib import Path

if sys.argv[1:] == ["version"]:
    sys.exit(print("Terraform v1.11.4"))
signal.signal(signal.SIGINT, lambda *_: Path("FOLDER/interrupted").write_text("yes"))
print('{"pid": %d}' % os.getpid(), flush=True)
while not Path("FOLDER/end").exists():
    time.sleep(0.1)
"""
_COMMAND = """
from pathlib import Path
from pipeline.config import Environment
from pipeline.signals import stop_on_signals, deferred_signals
from pipeline.terraform.runner import Terraform, service_stack

stop_on_signals()
try:
    Terraform(service_stack(Environment("staging")), Path.cwd())._run(
        "apply", on_message=lambda message: Path("began").write_text(str(message["pid"]))
    )
except BaseException:
    with deferred_signals():
        print("live goes back")
"""


def _wait_for(file: Path, process: subprocess.Popen[str]) -> str:
    """Wait until a running process has written a file, and return its content."""
    while not (file.exists() and file.read_text()):
        assert process.poll() is None
        time.sleep(0.02)
    return file.read_text()


def test_a_second_signal_ends_the_waiting_for_terraform(tmp_path: Path) -> None:
    """Terraform may take longer to stop than there is time: what is left to do is done first."""
    program = _TERRAFORM.replace("FOLDER", str(tmp_path)).replace("PYTHON", sys.executable)
    (tmp_path / "terraform").write_text(program)
    (tmp_path / "terraform").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    with subprocess.Popen(
        [sys.executable, "-c", _COMMAND],
        cwd=tmp_path,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        terraform = int(_wait_for(tmp_path / "began", process))
        try:
            process.send_signal(signal.SIGINT)
            _wait_for(tmp_path / "interrupted", process)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate()
            assert output == "live goes back\n"
            os.kill(terraform, 0)  # it still runs: nothing waited for its end, and then killed it
        finally:
            (tmp_path / "end").touch()


class _Terraform:
    """A process that a signal meets while it is started."""

    started: ClassVar[list[_Terraform]] = []
    returncode = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        self.signals: list[int] = []
        self.waited_for = False
        self.started.append(self)
        signal.raise_signal(signal.SIGINT)

    def send_signal(self, number: int) -> None:
        self.signals.append(number)

    def wait(self, timeout: float) -> int:
        self.waited_for = True
        return self.returncode


def test_a_signal_that_comes_while_terraform_starts_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a Terraform would go on that nobody waits for, and hold the state's lock."""
    monkeypatch.setattr(subprocess, "Popen", _Terraform)
    monkeypatch.setattr(runner, "_executable", lambda: "terraform")
    with pytest.raises(KeyboardInterrupt):
        Terraform(service_stack(Environment("staging")), tmp_path)._run("apply")
    [process] = _Terraform.started
    assert process.signals == [signal.SIGINT] and process.waited_for


def test_a_signal_is_deferred_by_every_enclosing_block() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt), deferred_signals():
        with deferred_signals():
            signal.raise_signal(signal.SIGINT)
            done.append("the inner")
        done.append("the outer")
    assert done == ["the inner", "the outer"]
