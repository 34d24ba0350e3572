"""One execution environment: AWS's runtime emulator with AWS's Python runtime in it.

The emulator says on standard output what the function prints, between START and END, and on
standard error when its phases began and ended. Its own REPORT line holds made-up figures, so the
true ones are read from the phases and from the kernel.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import re
import selectors
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from localcloud import parts, processes

# The Python that this one's virtual environment was made from.
_BASE_PYTHON: str = getattr(sys, "_base_executable", sys.executable)

_INVOKE_PATH = "/2015-03-31/functions/function/invocations"
_START_PATIENCE_S = 10
_LOG_PATIENCE_S = 2

_START = re.compile(r"START RequestId: (\S+) ")
_OWN_LINE = re.compile(r"(START|END|REPORT) RequestId: ")
_INIT_REPORT = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)")
_INVOKE_DONE = re.compile(r"INVOKE RTDONE\(.*duration: ([\d.]+)ms")
_TIMED_OUT = re.compile(r"Task timed out after [\d.]+ seconds")


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
        """Start the emulator; raise RuntimeError if it does not come up."""
        self.function = function
        self.log_stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[{function.version}]"
        self.log_stream += uuid.uuid4().hex
        self.idle_since = time.monotonic()
        self._port, runtime_port = processes.free_ports(2)
        self._process = processes.start(
            [
                *(
                    parts.EMULATOR,
                    "--runtime-interface-emulator-address",
                    f"127.0.0.1:{self._port}",
                ),
                *("--runtime-api-address", f"127.0.0.1:{runtime_port}"),
                # -S: nothing of the Python that runs localcloud may be importable.
                *(_BASE_PYTHON, "-S", "-m", "awslambdaric", function.handler),
            ],
            env=self._environment(region),
            cwd=function.task_root,
        )
        self._lines: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read_output, daemon=True)
        self._reader.start()
        self._wait_until_it_listens()

    def invoke(self, event: bytes) -> Invocation:
        """Call the function with a JSON event, and return what came of it."""
        started = time.monotonic()
        status, payload = self._post(event)
        wall_ms = (time.monotonic() - started) * 1000
        log = _Log(self._lines_of_call(failed=status != 200 or _is_timeout(payload)))
        payload, error, trouble = _judge(status, payload, log.request_id)
        duration_ms = wall_ms if log.duration_ms is None else log.duration_ms
        return Invocation(
            payload=payload,
            request_id=log.request_id,
            function_error="Unhandled" if error else None,
            duration_ms=duration_ms,
            init_ms=log.init_ms,
            log=self._report(log, duration_ms, error, trouble),
        )

    def stop(self) -> None:
        """End the execution environment."""
        processes.stop(self._process)
        self._reader.join()

    def _environment(self, region: str) -> dict[str, str]:
        function = self.function
        import_path = [function.task_root]
        for root in function.layer_roots:
            import_path += [root / "python", root / "python/lib/python3.13/site-packages"]
        return dict(function.environment) | {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": ":".join(map(str, [*import_path, parts.RUNTIME_PACKAGES])),
            # Lambda's disk is read-only there, so nothing compiled is ever kept.
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAMBDA_TASK_ROOT": str(function.task_root),
            "_HANDLER": function.handler,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout_s),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.function_name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": self.log_stream,
        }

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + _START_PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=1)
            with contextlib.suppress(OSError), contextlib.closing(connection):
                connection.connect()
                return
            time.sleep(0.002)
        self.stop()
        raise RuntimeError(f"the runtime emulator did not start: {list(self._waiting_lines())}")

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
        with selectors.DefaultSelector() as selector:
            for name in ("stdout", "stderr"):
                selector.register(getattr(self._process, name), selectors.EVENT_READ, name)
            rest = {"stdout": b"", "stderr": b""}
            while selector.get_map():
                for key, _ in selector.select():
                    chunk = key.fileobj.read1()  # type: ignore[union-attr]
                    if not chunk:
                        selector.unregister(key.fileobj)
                    *lines, rest[key.data] = (rest[key.data] + chunk).split(b"\n")
                    for line in lines:
                        self._lines.put((key.data, line.decode(errors="replace")))

    def _lines_of_call(self, *, failed: bool) -> Iterator[tuple[str, str]]:
        """Yield what the emulator said of this call, until both outputs have said their last."""
        last_words = (
            {"stderr": "Waiting for runtime domain"}
            if failed
            else {
                "stdout": "REPORT RequestId: ",
                "stderr": "INVOKE RTDONE(",
            }
        )
        deadline = time.monotonic() + _LOG_PATIENCE_S
        while last_words and (patience_s := deadline - time.monotonic()) > 0:
            try:
                output, line = self._lines.get(timeout=patience_s)
            except queue.Empty:
                return
            yield output, line
            if last_words.get(output, "\n") in line:
                del last_words[output]
        yield from self._waiting_lines()

    def _waiting_lines(self) -> Iterator[tuple[str, str]]:
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._lines.get_nowait()

    def _report(
        self, log: _Log, duration_ms: float, error: str | None, trouble: str | None
    ) -> list[str]:
        """Return the call's log as CloudWatch shows it, with true figures in its REPORT line."""
        request = f"RequestId: {log.request_id}"
        report = [
            f"REPORT {request}",
            f"Duration: {duration_ms:.2f} ms",
            f"Billed Duration: {int(duration_ms) + 1} ms",
            f"Memory Size: {self.function.memory_mb} MB",
            f"Max Memory Used: {self._peak_memory_mb()} MB",
        ]
        if log.init_ms is not None:
            report.append(f"Init Duration: {log.init_ms:.2f} ms")
        if trouble:
            report.append("Status: timeout" if error == _TIMEOUT else "Status: error")
        own = [f"START {request} Version: {self.function.version}", *log.printed]
        own += (
            [f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {trouble}"] if trouble else []
        )
        return [*own, f"END {request}", "\t".join(report) + "\t"]

    def _peak_memory_mb(self) -> int:
        """Return the most memory that the runtime's process ever had resident, in MB."""
        threads = Path(f"/proc/{self._process.pid}/task")
        with contextlib.suppress(OSError):
            children = [
                pid for each in threads.glob("*/children") for pid in each.read_text().split()
            ]
            status = Path(f"/proc/{children[-1]}/status").read_text() if children else ""
            if peak := re.search(r"VmHWM:\s+(\d+) kB", status):
                return int(peak[1]) // 1024
        return 0


_TIMEOUT = "Sandbox.Timedout"


class _Log:
    """What the emulator's two outputs say of one call."""

    def __init__(self, lines: Iterator[tuple[str, str]]) -> None:
        self.request_id = ""
        self.init_ms: float | None = None
        self.duration_ms: float | None = None
        self.printed: list[str] = []
        for output, line in lines:
            if output == "stderr":
                self._phase(line)
            elif start := _START.match(line):
                self.request_id = start[1]
            elif not _OWN_LINE.match(line):
                # The interface client joins a message's lines with carriage returns.
                self.printed.append(line.replace("\r", "\n"))

    def _phase(self, line: str) -> None:
        if init := _INIT_REPORT.search(line):
            self.init_ms = float(init[1])
        elif done := _INVOKE_DONE.search(line):
            self.duration_ms = float(done[1])


def _is_timeout(payload: bytes) -> bool:
    return _TIMED_OUT.fullmatch(payload.decode(errors="replace")) is not None


def _judge(status: int, payload: bytes, request_id: str) -> tuple[bytes, str | None, str | None]:
    """Return (payload, error type, line for the log), told as Lambda's Invoke tells them."""
    if _is_timeout(payload):
        trouble = f"{request_id} {payload.decode()}"
        message = f"RequestId: {request_id} Error: {payload.decode()}"
        return _error(_TIMEOUT, message), _TIMEOUT, trouble
    try:
        answer = json.loads(payload)
    except ValueError:
        answer = None
    if status != 200:
        answer = answer if isinstance(answer, dict) else {"errorMessage": payload.decode()}
        kind = str(answer.get("errorType", "Runtime.Unknown"))
        return payload, kind, str(answer.get("errorMessage"))
    # An exception comes as an answer like any other; only an error names the request.
    if isinstance(answer, dict) and "errorType" in answer:
        if answer.get("requestId") == request_id:
            return payload, str(answer["errorType"]), None
    return payload, None, None


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()
