"""Execution environments: kept warm, never shared, never stale, ended when idle."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localcloud import downloads
from localcloud.runtime.execution_environment import FunctionVersion
from localcloud.runtime.pool import Pool
from tests.localcloud.aws import Aws, code
from tests.localcloud.clouds import eventually

pytestmark = pytest.mark.integration

COUNTING = """
    calls = 0

    def handler(event, context):
        global calls
        calls += 1
        return calls
"""


def test_a_warm_container_is_used_again(aws: Aws) -> None:
    """What the module keeps is there at the next call."""
    name = aws.function(COUNTING)
    assert [aws.call(name).payload for _ in range(3)] == [1, 2, 3]


def test_changed_code_never_meets_an_old_container(aws: Aws) -> None:
    """Other code runs in a fresh container, and so does the old code if it comes back."""
    name = aws.function(COUNTING)
    aws.call(name)
    changed = COUNTING.replace("return calls", "return -calls")
    aws.functions.update_function_code(FunctionName=name, ZipFile=code(changed))
    assert aws.call(name).payload == -1
    aws.functions.update_function_code(FunctionName=name, ZipFile=code(COUNTING))
    assert aws.call(name).payload == 1


def test_changed_configuration_never_meets_an_old_container(aws: Aws) -> None:
    """Each change of $LATEST gets a new container, also one that is then reverted."""
    name = aws.function(COUNTING, Timeout=10)
    assert aws.call(name).payload == 1
    for timeout in (11, 10):
        aws.functions.update_function_configuration(FunctionName=name, Timeout=timeout)
        assert aws.call(name).payload == 1


def test_changed_variables_are_seen(aws: Aws) -> None:
    """A call after an update of the environment sees the new values."""
    source = "import os\nVALUE = os.environ['VALUE']\ndef handler(event, context): return VALUE"
    name = aws.function(source, Environment={"Variables": {"VALUE": "old"}})
    assert aws.call(name).payload == "old"
    aws.functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"VALUE": "new"}}
    )
    assert aws.call(name).payload == "new"


def test_a_function_that_is_created_again_has_a_new_container(aws: Aws) -> None:
    """A function of the same name and code as a deleted one does not get its container."""
    name = aws.function(COUNTING)
    aws.call(name)
    aws.functions.delete_function(FunctionName=name)
    aws.functions.create_function(
        FunctionName=name,
        Role=aws.role,
        Runtime="python3.13",
        Handler="app.handler",
        Code={"ZipFile": code(COUNTING)},
    )
    assert aws.call(name).payload == 1


def test_versions_have_containers_of_their_own(aws: Aws) -> None:
    """Two versions share nothing, even if their code is the same."""
    name = aws.versions(COUNTING)
    aws.functions.update_function_configuration(FunctionName=name, Description="other")
    aws.functions.publish_version(FunctionName=name)
    counts = [aws.call(name, Qualifier=version).payload for version in ("1", "2", "1", "2")]
    assert counts == [1, 1, 2, 2]


def test_calls_at_once_get_a_container_each(aws: Aws, tmp_path: Path) -> None:
    """Five calls at the same time run in five containers, and do not wait for each other."""
    source = """
        import os, pathlib, time

        def handler(event, context):
            folder = pathlib.Path(event)
            (folder / str(os.getpid())).touch()
            while len(list(folder.iterdir())) < 5:
                time.sleep(0.02)
            return context.log_stream_name
    """
    name = aws.function(source, Timeout=900)
    with ThreadPoolExecutor(5) as callers:
        streams = list(callers.map(lambda _: aws.call(name, str(tmp_path)).payload, range(5)))
    assert len(set(streams)) == 5


def test_many_callers_lose_nothing(aws: Aws) -> None:
    """200 calls from eight callers: each gets its own answer, all are logged and counted."""
    name = aws.function("def handler(event, context):\n    print('got', event)\n    return event")
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda number: aws.call(name, number), range(200)))
    assert [answer.payload for answer in answers] == list(range(200))
    assert all(f"\ngot {n}\n" in answer.log for n, answer in enumerate(answers))
    printed = [line for line in aws.logged(f"/aws/lambda/{name}") if line.startswith("got ")]
    assert sorted(printed) == sorted(f"got {number}" for number in range(200))
    assert aws.total("Invocations", FunctionName=name) == 200


def test_a_container_that_died_is_not_used(aws: Aws) -> None:
    """If an idle container's emulator was killed, the next call gets a fresh one."""
    source = "import os\ndef handler(event, context): return os.getppid()"
    name = aws.function(source)
    emulator = aws.call(name).payload
    os.kill(emulator, signal.SIGKILL)
    assert eventually(lambda: not _is_running(emulator))
    assert aws.call(name).payload != emulator


def _is_running(pid: int) -> bool:
    """Return whether a process is there, and more than a zombie."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


@pytest.fixture
def pool() -> Iterator[Pool]:
    downloads.install()
    pool = Pool("us-east-1", idle_limit_s=0.4)
    yield pool
    pool.close()


def _function(folder: Path, version: str = "1") -> FunctionVersion:
    (folder / "app.py").write_text(
        "import os, time\n"
        "def handler(event, context):\n"
        "    time.sleep(event)\n"
        "    return os.getpid()\n"
    )
    return FunctionVersion(
        function_name="idle",
        version=version,
        code_sha256="",
        task_root=folder,
        layer_roots=(),
        handler="app.handler",
        timeout_s=10,
        memory_mb=128,
        environment=(),
        log_group="",
        log_format="Text",
        last_modified="",
    )


def test_idle_containers_are_ended(pool: Pool, tmp_path: Path) -> None:
    """A container that nobody called for the limit's time is ended, with its processes."""
    _, invocation = pool.invoke(_function(tmp_path), b"0")
    assert eventually(lambda: not pool.counts())
    assert eventually(lambda: not _is_running(int(invocation.payload)))


def test_only_so_many_idle_containers_are_kept(tmp_path: Path) -> None:
    """Beyond the limit, those that were idle the longest are ended: memory is not endless."""
    pool = Pool("us-east-1", idle_most=2)
    for version in ("1", "2", "3"):
        pool.invoke(_function(tmp_path, version), b"0")
    assert eventually(lambda: pool.counts() == {"idle:2": 1, "idle:3": 1})
    pool.close()


def test_a_busy_container_is_not_idle(pool: Pool, tmp_path: Path) -> None:
    """A call that takes longer than the idle limit is not cut off."""
    _, invocation = pool.invoke(_function(tmp_path), b"1.5")
    assert invocation.function_error is None


def test_closing_ends_every_container(pool: Pool, tmp_path: Path) -> None:
    """After close nothing runs, and no call gets a container any more."""
    _, invocation = pool.invoke(_function(tmp_path), b"0")
    pool.close()
    assert not _is_running(int(invocation.payload))
    with pytest.raises(RuntimeError, match="stopping"):
        pool.invoke(_function(tmp_path), b"0")
