"""Interruptions, crashes and failures leave nothing behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.localcloud.aws import Aws
from tests.localcloud.clouds import Cloud, eventually

pytestmark = pytest.mark.integration

NewCloud = Callable[..., Cloud]


@pytest.mark.parametrize("moment", ["localcloud serve", "bin/mongod"])
def test_ctrl_c_while_coming_up_leaves_no_process(
    moment: str, new_cloud: NewCloud, with_own_mongod: None
) -> None:
    """Whatever was started by then is ended, and `up` says by its status that it did not do it."""
    mine = new_cloud()
    up = mine.start("up")
    assert eventually(lambda: bool(mine.pids(moment)))
    os.killpg(up.pid, signal.SIGINT)
    assert up.wait() != 0
    assert eventually(lambda: not mine.processes), mine.processes


def _start_a_long_call(mine: Cloud) -> None:
    """Call a function that takes minutes, and wait until it runs."""
    aws = Aws(mine.settings)
    source = "import time\ndef handler(event, context): time.sleep(900)"
    aws.functions.invoke(FunctionName=aws.function(source, Timeout=900), InvocationType="Event")
    aws.close()
    # Emulator and runtime: the emulator has the runtime's command in its own.
    assert eventually(lambda: len(mine.pids("awslambdaric")) == 2)


def test_a_killed_server_leaves_no_process_and_up_works_again(
    new_cloud: NewCloud, with_own_mongod: None
) -> None:
    """MongoDB, emulator and a function in the midst of a call end, after kill -9 and at `down`.

    `down` removes the files, too; a second one has nothing to do.
    """
    mine = new_cloud()
    mine.must("up")
    assert mine.pids("bin/mongod")
    _start_a_long_call(mine)
    [server] = mine.pids("localcloud serve")
    os.kill(server, signal.SIGKILL)
    assert eventually(lambda: not mine.processes), mine.processes
    assert mine.run("status").returncode == 1

    mine.must("up")
    assert mine.run("status").returncode == 0
    _start_a_long_call(mine)
    assert "is down" in mine.must("down")
    assert not mine.folder.exists() and not mine.processes
    assert "was not running" in mine.must("down")


def test_a_database_that_cannot_start_is_one_clear_error(
    new_cloud: NewCloud, with_own_mongod: None, tmp_path: Path
) -> None:
    """`up` prints what failed and its output, without a traceback, and leaves nothing running."""
    broken = tmp_path / "broken"
    binary = broken / "fiftyone" / "db" / "bin" / "mongod"
    binary.parent.mkdir(parents=True)
    binary.write_text("#!/bin/sh\necho 'no memory of this' >&2\nexit 14\n")
    binary.chmod(0o755)
    for package in (binary.parents[1], binary.parents[2]):
        (package / "__init__.py").touch()
    mine = new_cloud(PYTHONPATH=str(broken))
    up = mine.run("up")
    assert up.returncode == 1
    assert up.stderr.startswith("error: localcloud did not come up")
    assert "MongoDB server ended with status 14" in up.stderr
    assert "no memory of this" in up.stderr and "Traceback" not in up.stderr
    assert not mine.processes
    assert mine.run("status").returncode == 1


def test_a_folder_that_cannot_be_made_is_one_clear_error(
    new_cloud: NewCloud, tmp_path: Path
) -> None:
    """`up` below a file, say, names the folder and the reason."""
    (tmp_path / "file").touch()
    mine = new_cloud()
    mine.folder = tmp_path / "file" / "below"
    up = mine.run("up")
    assert up.returncode == 1
    assert up.stderr.startswith(f"error: localcloud cannot keep its files in {mine.folder}: ")
    assert "Traceback" not in up.stderr
