"""One execution environment: AWS's runtime emulator with AWS's Python runtime in it.

The emulator prints the function's output, between START and END, and lines of its own when its
phases began and ended. Its own REPORT line holds made-up figures, so the true ones are read from
the phases and from the kernel.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud import downloads, processes
from localcloud.runtime import log_frames
from localcloud.runtime.log_frames import Record

# The Python that this one's virtual environment was made from.
_BASE_PYTHON: str = getattr(sys, "_base_executable", sys.executable)

_INVOKE_PATH = "/2015-03-31/functions/function/invocations"
_START_PATIENCE_S = 10
_LOG_PATIENCE_S = 5
_READER_PATIENCE_S = 1

# What the emulator says itself. It may follow what a function printed without ending the line.
_OWN_WORDS = re.compile(
    r"(?:START|END|REPORT) RequestId: [0-9a-f]{8}-[0-9a-f-]{27}\b.*"
    r"|\d\d \w{3} \d{4} [\d:,]{12} \[[A-Z]+\] \(rapid\) .*"
)
_START = re.compile(r"START RequestId: (\S+) ")
_INIT_REPORT = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)")
_INVOKE_DONE = re.compile(r"INVOKE RTDONE\(.*duration: ([\d.]+)ms")
_RUNTIME_EXIT = re.compile(r"Invoke failed .*error=(.+?)(?: InvokeID=|$)")
_TIMED_OUT = re.compile(r"Task timed out after [\d.]+ seconds")

# The emulator's last lines about a call: one that succeeded, one that timed out, and one in which
# the runtime exited.
_LAST_WORDS = ("INVOKE RTDONE(", "REPORT RequestId: ")
_LAST_WORDS_OF_TIMEOUT = ("Reset initiated: ", "REPORT RequestId: ")
_LAST_WORDS_OF_EXIT = ("Reset initiated: ",)

_TIMEOUT = "Sandbox.Timedout"
_EXIT = "Runtime.ExitError"


@dataclass(frozen=True)
class FunctionVersion:
    """All that decides how a version runs. Two that are equal may share execution environments."""

    function_name: str
    version: str
    code_sha256: str
    task_root: Path
    layer_roots: tuple[Path, ...]
    handler: str
    timeout_s: int
    memory_mb: int
    environment: tuple[tuple[str, str], ...]
    log_group: str
    log_format: str
    # Changes with everything that is changed in place, even if it is changed back.
    last_modified: str


@dataclass
class Invocation:
    """What one call of a function gave."""

    payload: bytes
    request_id: str
    function_error: str | None
    duration_ms: float
    init_ms: float | None
    log: list[str] = field(default_factory=list)


class Container:
    """One running execution environment. It takes one call at a time, as Lambda's do."""

    def __init__(self, function: FunctionVersion, region: str) -> None:
        """Start the emulator; raise NotStartedError if it does not come up."""
        self.function = function
        self.log_stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[{function.version}]"
        self.log_stream += uuid.uuid4().hex
        self.idle_since = time.monotonic()
        self._port, runtime_port = processes.free_ports(2)
        self._process = processes.start(
            [
                *(
                    downloads.EMULATOR,
                    "--runtime-interface-emulator-address",
                    f"127.0.0.1:{self._port}",
                ),
                *("--runtime-api-address", f"127.0.0.1:{runtime_port}"),
                # On SIGTERM during a call, the emulator does not always end the runtime.
                *processes.dying_with_parent(
                    # -S: nothing of the Python that runs localcloud may be importable.
                    log_frames.framing(
                        (_BASE_PYTHON, "-S", "-m", "awslambdaric", function.handler)
                    ),
                    death_signal="KILL",
                ),
            ],
            env=self._environment(region),
            cwd=function.task_root,
            # One pipe for both outputs, which keeps their order.
            output=subprocess.PIPE,
        )
        self._records: queue.SimpleQueue[Record] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read_output, daemon=True)
        self._reader.start()
        self._wait_until_it_listens()

    def invoke(self, event: bytes) -> Invocation:
        """Call the function with a JSON event, and return what came of it."""
        started = time.monotonic()
        status, payload = self._post(event)
        wall_ms = (time.monotonic() - started) * 1000
        if _is_timeout(payload):
            log = self._log_of_call(_LAST_WORDS_OF_TIMEOUT)
            wall_ms = min(wall_ms, self.function.timeout_s * 1000)
        else:
            log = self._log_of_call(_LAST_WORDS if status == 200 else _LAST_WORDS_OF_EXIT)
        payload, error, trouble = _judge(status, payload, log)
        duration_ms = wall_ms if log.duration_ms is None else log.duration_ms
        return Invocation(
            payload=payload,
            request_id=log.request_id,
            function_error="Unhandled" if error else None,
            duration_ms=duration_ms,
            init_ms=log.init_ms,
            log=self._report(log, duration_ms, error, trouble),
        )

    def keep_memory_limit(self) -> None:
        """End the runtime, as Lambda does, if it holds more memory than its function may."""
        with contextlib.suppress(OSError):
            held_mb = self._memory_mb("VmRSS")
            if held_mb and held_mb > self.function.memory_mb:
                os.kill(self.runtime_pid(), signal.SIGKILL)

    def is_alive(self) -> bool:
        """Return whether the execution environment is still there."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the execution environment."""
        processes.stop(self._process)
        # A process that the function left behind may hold the pipe open.
        self._reader.join(_READER_PATIENCE_S)

    def _environment(self, region: str) -> dict[str, str]:
        function = self.function
        import_path = [function.task_root]
        for root in function.layer_roots:
            import_path += [root / "python", root / "python/lib/python3.13/site-packages"]
        # "Packaging your layer content" in the AWS Lambda developer guide: bin and lib of layers.
        programs = [
            "/usr/local/bin",
            "/usr/bin",
            "/bin",
            *(root / "bin" for root in function.layer_roots),
        ]
        libraries = [
            function.task_root,
            function.task_root / "lib",
            *(root / "lib" for root in function.layer_roots),
        ]
        defaults = {
            "PATH": ":".join(map(str, programs)),
            "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
        }
        return (
            defaults
            | dict(function.environment)
            | {
                "PYTHONPATH": ":".join(map(str, [*import_path, downloads.RUNTIME_PACKAGES])),
                # Lambda's disk is read-only there, so nothing compiled is ever kept.
                "PYTHONDONTWRITEBYTECODE": "1",
                "LAMBDA_TASK_ROOT": str(function.task_root),
                "_HANDLER": function.handler,
                # Without it the interface client escapes every non-ASCII letter of an answer.
                "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
                "AWS_REGION": region,
                "AWS_DEFAULT_REGION": region,
                "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
                "AWS_LAMBDA_FUNCTION_VERSION": function.version,
                "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout_s),
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
                "AWS_LAMBDA_LOG_FORMAT": function.log_format,
                "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
                "AWS_LAMBDA_LOG_STREAM_NAME": self.log_stream,
            }
        )

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + _START_PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=1)
            with contextlib.suppress(OSError), contextlib.closing(connection):
                connection.connect()
                return
            time.sleep(0.002)
        self.stop()
        output = "\n".join(self._records.get().text for _ in range(self._records.qsize()))
        raise processes.NotStartedError(f"the runtime emulator did not come up: {output}")

    def _post(self, event: bytes) -> tuple[int, bytes]:
        # The emulator keeps the function's time limit itself; this one only guards against a
        # broken emulator.
        patience_s = self.function.timeout_s + 30
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=patience_s)
        with contextlib.closing(connection):
            connection.request("POST", _INVOKE_PATH, event)
            response = connection.getresponse()
            return response.status, response.read()

    def _read_output(self) -> None:
        assert self._process.stdout
        with self._process.stdout as output:
            for record in log_frames.records(output):
                self._records.put(record)

    def _log_of_call(self, last_words: tuple[str, ...]) -> _Log:
        """Read the output of the emulator and the function until the emulator's last line."""
        log = _Log(last_words)
        deadline = time.monotonic() + _LOG_PATIENCE_S
        with contextlib.suppress(queue.Empty):
            while not log.is_complete():
                log.add(self._records.get(timeout=max(0, deadline - time.monotonic())))
        return log

    def _report(
        self, log: _Log, duration_ms: float, error: str | None, trouble: str | None
    ) -> list[str]:
        """Return the call's log as CloudWatch shows it, with true figures in its REPORT line."""
        request = f"RequestId: {log.request_id}"
        report = [
            f"REPORT {request}",
            f"Duration: {duration_ms:.2f} ms",
            f"Billed Duration: {math.ceil(duration_ms)} ms",
            f"Memory Size: {self.function.memory_mb} MB",
        ]
        if peak_mb := self._memory_mb("VmHWM"):
            report.append(f"Max Memory Used: {peak_mb} MB")
        if log.init_ms is not None:
            report.append(f"Init Duration: {log.init_ms:.2f} ms")
        if trouble:
            report += ["Status: timeout"] if error == _TIMEOUT else ["Status: error"]
            report += [f"Error Type: {error}"] if error == _EXIT else []
        lines = [f"START {request} Version: {self.function.version}", *log.printed]
        if trouble:
            lines.append(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {trouble}")
        return [*lines, f"END {request}", "\t".join(report) + "\t"]

    def _memory_mb(self, figure: str) -> int | None:
        """Return what the kernel knows of the runtime's memory, if it is alive.

        `VmRSS` is what it has resident, `VmHWM` the most that it ever had.
        """
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{self.runtime_pid()}/status").read_text()
            if found := re.search(rf"{figure}:\s+(\d+) kB", status):
                return int(found[1]) // 1024
        return None

    def runtime_pid(self) -> int:
        """Return the process in which the function runs; raise ProcessLookupError without one."""
        threads = Path(f"/proc/{self._process.pid}/task")
        children = [pid for path in threads.glob("*/children") for pid in path.read_text().split()]
        if not children:
            raise ProcessLookupError
        return int(children[-1])


class _Log:
    """The log of one call: the emulator's own lines apart from the function's output."""

    def __init__(self, last_words: tuple[str, ...]) -> None:
        self.request_id = ""
        self.init_ms: float | None = None
        self.duration_ms: float | None = None
        self.exit: str | None = None
        self.printed: list[str] = []
        self._awaited = set(last_words)

    def add(self, record: Record) -> None:
        """Sort a record in."""
        line = record.text
        own = None if record.framed else _OWN_WORDS.search(line)
        printed = line[: own.start()] if own else line
        if printed or not own:
            self.printed.append(printed)
        if own:
            self._awaited -= {words for words in self._awaited if words in own[0]}
            self._learn(own[0])

    def is_complete(self) -> bool:
        """Return whether the emulator has printed its last line."""
        return not self._awaited

    def _learn(self, line: str) -> None:
        if start := _START.match(line):
            self.request_id = start[1]
        elif init := _INIT_REPORT.search(line):
            # After an init that failed, it reports another, empty one.
            self.init_ms = max(self.init_ms or 0, float(init[1]))
        elif done := _INVOKE_DONE.search(line):
            self.duration_ms = float(done[1])
        elif exit_ := _RUNTIME_EXIT.search(line):
            self.exit = exit_[1]


def _is_timeout(payload: bytes) -> bool:
    return _TIMED_OUT.fullmatch(payload.decode(errors="replace")) is not None


def _judge(status: int, payload: bytes, log: _Log) -> tuple[bytes, str | None, str | None]:
    """Return (payload, error type, line for the log) as Lambda's Invoke does."""
    if _is_timeout(payload):
        text = payload.decode()
        message = f"RequestId: {log.request_id} Error: {text}"
        return _error(_TIMEOUT, message), _TIMEOUT, f"{log.request_id} {text}"
    answer = _json(payload)
    if status != 200:
        if not isinstance(answer, dict):
            # If the runtime ended before it took the call, only the emulator's log has that.
            message = f"RequestId: {log.request_id} Error: {log.exit or 'Runtime exited'}"
            return _error(_EXIT, message), _EXIT, message
        return payload, str(answer.get("errorType")), str(answer.get("errorMessage"))
    # An exception comes as an answer like any other; only an error names the request.
    if isinstance(answer, dict) and "errorType" in answer:
        if answer.get("requestId") == log.request_id:
            return payload, str(answer["errorType"]), None
    return payload, None, None


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return None


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()
