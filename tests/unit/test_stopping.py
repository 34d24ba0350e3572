"""Being told to stop twice, as GitHub's runner does before it kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from scratch.source import ROOT

_TERRAFORM = """#!/bin/sh
[ "$1" = version ] && echo "Terraform v1.11.4" && exit
trap "" INT
touch began
sleep 10
"""
_COMMAND = """
from pathlib import Path
from pipeline.environment import Environment
from pipeline.stopping import stop_when_told, uninterrupted
from pipeline.terraform import Terraform, service_stack

stop_when_told()
try:
    Terraform(service_stack(Environment("staging")), Path.cwd())._run("apply")
except BaseException:
    with uninterrupted():
        print("live goes back")
"""


def test_a_second_signal_ends_the_waiting_for_terraform(tmp_path: Path) -> None:
    """It may take longer to stop than there is time: what is left to do is done first."""
    (tmp_path / "terraform").write_text(_TERRAFORM.replace("began", str(tmp_path / "began")))
    (tmp_path / "terraform").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    with subprocess.Popen(
        [sys.executable, "-c", _COMMAND],
        cwd=tmp_path,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        while not (tmp_path / "began").exists():
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        time.sleep(1)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=2.5)
    assert said == "live goes back\n"
