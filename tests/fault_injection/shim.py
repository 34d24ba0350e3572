"""Runs `python -m pipeline …`, in which one thing goes wrong.

    python -m tests.fault_injection.shim \\
      '{"kind": "aws", "name": "…", "occurrence": 1, "fault": …}' deploy …

`kind`, `name` and `occurrence` say which AWS call, Terraform run or file write: the n-th of that
name.
With CRASH_FIRED=<file> that file appears when it has gone wrong.

It stands between the pipeline and the outside: below boto3, where requests are sent; where programs
are started; where files are opened for writing. With CRASH_POINTS=<file> it writes there what it
met, in order, so that whoever runs it knows all there is to go wrong.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import urllib3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

_ANSWERS = {
    "fail": (403, "AccessDenied"),
    "throttle": (429, "TooManyRequestsException"),
}


class Shim:
    """Counts what goes out, and lets one of it go wrong."""

    def __init__(self, kind: str, name: str, occurrence: int, fault: str) -> None:
        self._wanted, self._fault = (kind, name, occurrence), fault
        self._points, self._fired = os.environ.get("CRASH_POINTS"), os.environ.get("CRASH_FIRED")
        self._met: Counter[tuple[str, str]] = Counter()
        self._attempts = 0
        self._spoiled: bytes | None = None

    def meets(self, kind: str, name: str) -> bool:
        """Return whether this is the one that goes wrong."""
        # What the background does (renewing the lease) comes at no certain place.
        if threading.current_thread() is not threading.main_thread():
            return False
        self._met[kind, name] += 1
        if self._points:
            _append(self._points, json.dumps([kind, name]))
        fires = (kind, name, self._met[kind, name]) == self._wanted
        if fires and self._fired:
            _append(self._fired, "fired")
        return fires

    def install(self) -> None:
        """Stand in for what sends, starts and opens."""
        self._send, self._popen, self._open = URLLib3Session.send, subprocess.Popen, io.open
        setattr(URLLib3Session, "send", lambda session, request: self._sending(session, request))
        setattr(subprocess, "Popen", self._starting)
        setattr(io, "open", self._opening)

    def _sending(self, session: Any, request: Any) -> Any:
        call = request.headers.get("amz-sdk-invocation-id", b"")
        again = self._spoiled == call
        if not again:
            if not self.meets("aws", _name(request)):
                return self._send(session, request)
            self._spoiled = call
        return self._spoil_call(session, request, again)

    def _starting(self, command: list[str], *arguments: Any, **named: Any) -> Any:
        if "terraform" not in str(command[0]) or "version" in command:
            return self._popen(command, *arguments, **named)
        if not self.meets("terraform", command[2]):
            return self._popen(command, *arguments, **named)
        if self._fault == "fail":
            return self._popen(["false"], *arguments, **named)
        if self._fault == "kill before":
            _die()
        process = self._popen(command, *arguments, **named)
        if self._fault == "kill after":
            process.wait()
        _die()  # else "kill during"

    def _opening(self, file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if isinstance(file, int) or "w" not in mode or str(file).startswith("/dev"):
            return self._open(file, mode, *arguments, **named)
        if not self.meets("write", Path(file).name):
            return self._open(file, mode, *arguments, **named)
        if self._fault == "fail":
            raise OSError(28, "No space left on device", str(file))
        if self._fault == "kill after":
            self._open(file, mode, *arguments, **named).close()
        _die()

    def _spoil_call(self, session: Any, request: Any, again: bool) -> Any:
        self._attempts += 1
        if self._fault == "fail" or (self._fault == "throttle" and self._attempts < 3):
            status, code = _ANSWERS[self._fault]
            return _refusal(request, status, code)
        if self._fault == "kill before":
            _die()
        if self._fault == "lose" and again:
            raise ConnectionClosedError(endpoint_url=request.url)
        answer = self._send(session, request)
        if self._fault == "kill after":
            _die()
        if self._fault in ("lose", "lose once") and not again:
            raise ConnectionClosedError(endpoint_url=request.url)
        return answer


def _append(path: str, line: str) -> None:
    # Not with `open`, which is one of the things that go wrong.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "w") as file:
        file.write(line + "\n")


def _name(request: Any) -> str:
    """Name a call so that it has the same name in every run: without numbers and digests."""
    url = urlsplit(request.url)
    body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
    operation = re.search(rb"(?:^|&)Action=(\w+)", body)
    target = request.headers.get("X-Amz-Target", b"")
    target = target.decode() if isinstance(target, bytes) else str(target)
    action = target.rpartition(".")[2] or (operation[1].decode() if operation else "")
    path = re.sub(r"/[0-9a-f]{64}", "/SHA256", url.path)
    path = re.sub(r"/\d{6}/", "/NUMBER/", path)
    path = re.sub(r"(layers/[^/]+/versions)/\d+", r"\1/N", path)
    qualifier = "?Qualifier=live" if "Qualifier=live" in url.query else ""
    return f"{request.method} {path}{qualifier} {action}".rstrip()


def _refusal(request: Any, status: int, code: str) -> AWSResponse:
    """Return what AWS says when it refuses: in XML for S3 and others, in JSON for Lambda."""
    if (
        b"xml" in request.headers.get("Accept", b"")
        or "s3" in request.url
        or "-1234" in request.url
    ):
        body = f"<Error><Code>{code}</Code><Message>spoiled</Message></Error>"
    else:
        body = json.dumps({"message": "spoiled", "__type": code})
    headers = HTTPHeaders()
    headers["x-amzn-ErrorType"] = code
    return AWSResponse(
        request.url, status, headers, urllib3.HTTPResponse(io.BytesIO(body.encode()))
    )


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("dead")


def main() -> None:
    """Install the shim, hasten what only waits, and run the pipeline."""
    from pipeline.cli import main
    from pipeline.release import lease
    from pipeline.traffic import canary

    # Two looks at each step: a third would be the same calls once more.
    canary._LOOKS = 2
    lease._EXPIRES_AFTER_S = 3
    for name in ("_RENEWED_EVERY_S", "_LOOKED_AT_EVERY_S"):
        setattr(lease, name, 0.3)
    Shim(**json.loads(sys.argv[1])).install()
    sys.argv = ["pipeline", *sys.argv[2:]]
    main.main()


if __name__ == "__main__":
    main()
