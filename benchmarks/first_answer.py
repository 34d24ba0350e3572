"""The first answer: from the start of an environment until it has answered its first findOne.

Configured as Terraform does: the connection string is in a parameter, which the function reads from
Systems Manager at its first request. Lambda gives a whole core during initialisation, and then the
share that the memory stands for: 256 MB of 1,769 ("Configure Lambda function memory", AWS Lambda).
So the process is stopped for the rest of each 20 ms once it has initialised.

The alternatives are the same handler on SAM's build of the layer, and the same with boto3 for the
parameter. Systems Manager is reached by TLS, as on AWS: trusted are the usual certificates, and its
own. The database is reached without.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import botocore

from benchmarks.cold_start import version_of
from benchmarks.measure import ChildFailedError, alternate, cpu_of_process_s, spread_of
from benchmarks.workspace import APPS, Workspace
from benchmarks.table import Measured, Row
from benchmarks.warm_call import TASKS, event_of, filled_mongod
from localcloud.runtime.execution_environment import Container, FunctionVersion
from scratch.events import KEY, api_keys

_ROUNDS = 15
_TARGET = 0.25
_SHARE = 256 / 1_769
_PERIOD_S = 0.02
_OURS, _SAM, _BOTO3 = "our bundle", "SAM's build", "SAM's build, parameter read by boto3"


def measure(workspace: Workspace) -> list[Row]:
    """Start each in turn, and call it once."""
    trusted = workspace.new_folder("trusted") / "certificates.pem"
    with filled_mongod() as uri, _parameter_store(uri, trusted) as store:
        environment = (
            ("AWS_ACCESS_KEY_ID", "nobody"),
            ("AWS_SECRET_ACCESS_KEY", "nobody"),
            ("AWS_ENDPOINT_URL", store),
            ("SSL_CERT_FILE", str(trusted)),
            ("AWS_CA_BUNDLE", str(trusted)),  # boto3's
            ("MONGODB_URI_PARAMETER", "/mongo-client/local/mongodb-uri"),
            ("API_KEYS", api_keys({KEY: "read write"})),
        )
        boto3 = workspace.new_folder("boto3")
        shutil.copy(workspace.sam.function / "lambda_function.py", boto3)
        shutil.copy(APPS / "boto3_parameter.py", boto3)
        trees = {
            _OURS: (
                workspace.ours.function,
                workspace.ours.layer,
                "lambda_function.lambda_handler",
            ),
            _SAM: (workspace.sam.function, workspace.sam.layer, "lambda_function.lambda_handler"),
            _BOTO3: (boto3, workspace.sam.layer, "boto3_parameter.lambda_handler"),
        }
        turns = {
            name: _turn(version_of(function, (layer,), handler, environment))
            for name, (function, layer, handler) in trees.items()
        }
        for turn in turns.values():
            turn(0)  # once, so that the files are in memory
        found = {
            name: Measured(name, "s", *zip(*values, strict=True))
            for name, values in alternate(turns, _ROUNDS).items()
        }
    ours, boto3_s = (spread_of(found[name].cpu_s).median for name in (_OURS, _BOTO3))
    ratio = ours / boto3_s
    return [
        Row(
            "first answer",
            found[_OURS],
            (found[_SAM], found[_BOTO3]),
            target=f"CPU ≤ {_TARGET:.2f} of SAM's with boto3",
            ratio=ratio,
            ratio_of="CPU from start to answer, ours / SAM's with boto3",
            met=ratio <= _TARGET,
            notes=("the clock runs at the share of CPU that 256 MB have, once initialised",),
        )
    ]


def _turn(version: FunctionVersion) -> Callable[[int], tuple[float, float]]:
    """Return a turn that gives the seconds until the answer, and the CPU seconds."""
    event = json.dumps(event_of(TASKS[0])).encode()

    def turn(_: int) -> tuple[float, float]:
        container = Container(version, "eu-central-1")
        try:
            init_ms = container.invoke(b"{}").init_ms  # no request: it needs no parameter
            assert init_ms is not None
            runtime = container.runtime_pid()
            with _at_share(runtime):
                called = container.invoke(event)
            if called.function_error or json.loads(called.payload)["statusCode"] != 200:
                raise ChildFailedError(f"the first findOne was answered with {called}")
            return (init_ms + called.duration_ms) / 1_000, cpu_of_process_s(runtime)
        finally:
            container.stop()

    return turn


@contextmanager
def _at_share(pid: int) -> Iterator[None]:
    """Let a process run for its share of each period only."""
    done = threading.Event()

    def throttle() -> None:
        while not done.wait(_PERIOD_S * _SHARE):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(_PERIOD_S * (1 - _SHARE))
            os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=throttle)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def _parameter_store(value: str, trusted: Path) -> Iterator[str]:
    """Yield the address of a Systems Manager that answers every request with this parameter.

    `trusted` is where the certificates to trust are written to.
    """
    content = json.dumps({"Parameter": {"Value": value}}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    key_file = _write_certificate(trusted)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(trusted, key_file)
    with trusted.open("a") as file:
        file.write(Path(botocore.__file__).with_name("cacert.pem").read_text())
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://localhost:{server.server_port}"
        server.shutdown()


def _write_certificate(path: Path) -> Path:
    """Write a certificate for localhost, and return its key's file."""
    key = path.with_name("key.pem")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", key, "-out", path),
        ],
        check=True,
        capture_output=True,
    )
    return key
