"""Runs `python -m pipeline …`, in which one thing goes wrong.

    python -m tests.crash.shim '{"kind": "aws", "number": 7, "fault": "kill after"}' deploy …

`kind` and `number` say which: the n-th AWS call, Terraform run, or file write.

It stands between the pipeline and the outside: below boto3, where requests are sent; where programs
are started; where files are opened for writing. With CRASH_POINTS=<file> it writes there what it
met, in order, so that whoever runs it knows all there is to go wrong.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

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

    def __init__(self, kind: str, number: int, fault: str, points: Path | None) -> None:
        self._kind, self._number, self._fault = kind, number, fault
        self._points = points
        self._met: Counter[str] = Counter()
        self._attempts = 0
        self._spoiled: bytes | None = None

    def meets(self, kind: str, name: str) -> bool:
        """Say whether this is the one that goes wrong."""
        # What the background does (renewing the lease) comes at no certain place.
        if threading.current_thread() is not threading.main_thread():
            return False
        self._met[kind] += 1
        if self._points:
            with os.fdopen(os.open(self._points, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "w") as f:
                f.write(json.dumps([kind, name]) + "\n")
        return (kind, self._met[kind]) == (self._kind, self._number)

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
            if not self.meets("aws", f"{request.method} {request.url.split('?')[0]}"):
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
    """Install the shim, hasten the lease, and run the pipeline."""
    spec = json.loads(sys.argv[1])
    points = os.environ.get("CRASH_POINTS")
    from pipeline import cli, lease

    lease._EXPIRES_AFTER_S = 3
    for name in ("_RENEWED_EVERY_S", "_LOOKED_AT_EVERY_S"):
        setattr(lease, name, 0.3)
    Shim(spec["kind"], spec["number"], spec["fault"], Path(points) if points else None).install()
    sys.argv = ["pipeline", *sys.argv[2:]]
    cli.main()


if __name__ == "__main__":
    main()
