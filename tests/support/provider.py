"""Terraform's AWS provider, kept running for all the Terraform runs of a test module.

It is the real provider, as the lock file names it, in its debug mode. What a Terraform run costs is
mostly the start of the provider, and reading the schemas of its 1,500 resource types: with both
saved, a deployment takes a third of the CPU time. So Terraform talks to the provider through a
server in this process, which leaves the types that this project does not use out of the schema, and
passes everything else on as it is.

A provider serves the environments of one cloud, one Terraform run after the other: it keeps the
configuration that it was given last. Its credentials are those that `running` is given, whatever
the Terraform that uses it has in its environment.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import grpc

from localcloud import processes, provider_mirror
from scratch.source import ROOT

_NAME = "registry.terraform.io/hashicorp/aws"
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_SERVICE = "/tfplugin5.Provider/"
_UNLIMITED: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]
# Fields of GetProviderSchema's response that have an entry for each type: resources, data sources,
# functions, ephemeral resources. Source: tfplugin5.proto in Terraform's docs/plugin-protocol.
_BY_TYPE = {2, 3, 7, 8}


@contextmanager
def running(
    settings: Mapping[str, str], credentials: Path | None = None
) -> Iterator[dict[str, str]]:
    """Start the provider for a cloud with these `settings`; yield what makes Terraform use it.

    With `credentials`, which `write_credentials` writes, each Terraform run calls AWS with what is
    in that file when it begins; else with the access key of the `settings`.

    Source of the debug mode and of TF_REATTACH_PROVIDERS: Terraform's plugin documentation,
    "Debugging".
    """
    # Nothing of this process's own account; and with AWS_CA_BUNDLE the provider accepts a
    # configuration only once.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    # It lives long and has much memory: collecting garbage seldom is cheaper.
    environment |= {"GOGC": "400", **settings}
    if credentials:
        for name in _KEYS:
            environment.pop(name, None)
        environment["AWS_SHARED_CREDENTIALS_FILE"] = str(credentials)
    # Not a pipe: it goes on writing, and would block when nobody reads.
    with tempfile.NamedTemporaryFile("wb", prefix="provider-") as output:
        process = processes.start(
            [_installed(), "-debug"], env=environment, cwd=ROOT, output=output.fileno()
        )
        try:
            reattach = _reattach(process, Path(output.name))
            with _filtered(f"unix:{reattach['Addr']['String']}") as address:
                reattach["Addr"] = {"Network": "tcp", "String": address}
                yield {"TF_REATTACH_PROVIDERS": json.dumps({_NAME: reattach})}
        finally:
            processes.stop(process)


def write_credentials(file: Path, credentials: Mapping[str, str]) -> None:
    """Write an access key as AWS's shared credentials file has it, given as environment variables.

    Source: "Configuration and credential file settings" in the AWS CLI's user guide.
    """
    lines = [f"{name.lower()} = {credentials[name]}" for name in _KEYS if name in credentials]
    file.write_text("\n".join(["[default]", *lines, ""]))


@cache
def _installed() -> Path:
    """Let Terraform install the provider, once in a process, and return the program."""
    folder = tempfile.mkdtemp(prefix="provider-")
    atexit.register(shutil.rmtree, folder)
    settings = {"TF_DATA_DIR": folder}
    if configuration := provider_mirror.cli_config(Path(folder)):
        settings["TF_CLI_CONFIG_FILE"] = str(configuration)
    subprocess.run(
        ["terraform", f"-chdir={ROOT}/terraform", "init", "-backend=false", "-lockfile=readonly"],
        env=os.environ | settings,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    [program] = Path(folder).glob("providers/*/*/*/*/*/terraform-provider-aws_*")
    return program


def _reattach(process: subprocess.Popen[bytes], output: Path) -> dict[str, Any]:
    """Wait until the provider listens, and return how Terraform reaches it."""
    while process.poll() is None:
        if found := re.search(r"TF_REATTACH_PROVIDERS='(.*)'", output.read_text()):
            return dict(json.loads(found[1])[_NAME])
        time.sleep(0.02)
    raise AssertionError(f"the provider ended before it listened: {output.read_text()}")


@contextmanager
def _filtered(provider: str) -> Iterator[str]:
    """Serve the provider at the address `provider` with a short schema; yield where."""
    # gRPC's Go server refuses the authority that a path of a socket would make.
    options = [*_UNLIMITED, ("grpc.default_authority", "localhost")]
    with grpc.insecure_channel(provider, options) as channel:
        server = grpc.server(ThreadPoolExecutor(64), [_Filter(channel)], options=_UNLIMITED)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


class _Filter(grpc.GenericRpcHandler):
    """Passes each call on, as bytes; keeps the schema, shortened."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._schema = cache(lambda method, request: _shortened(self._call(method, request)))

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        method = details.method
        if not method.startswith(_SERVICE):
            return None  # go-plugin's own streams, which Terraform can do without

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                if method == f"{_SERVICE}GetSchema":
                    return self._schema(method, request)
                return self._call(method, request)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details() or "")

        return grpc.unary_unary_rpc_method_handler(answer)

    def _call(self, method: str, request: bytes) -> bytes:
        call: Any = self._channel.unary_unary(method)
        return bytes(call(request))


def _shortened(schema: bytes) -> bytes:
    """Return a GetProviderSchema response with only the types that this project uses."""
    sources = [path.read_text() for path in (ROOT / "terraform").rglob("*.tf")]
    used = set(re.findall(r'^(?:resource|data) "(aws_\w+)"', "\n".join(sources), re.MULTILINE))
    kept = []
    for field, value, raw in _fields(schema):
        if field in _BY_TYPE:
            [key] = [content for number, content, _ in _fields(value) if number == 1]
            if key.decode() not in used:
                continue
        kept.append(raw)
    return b"".join(kept)


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield the length-delimited fields of a protocol buffer: number, content, and both as sent."""
    place = 0
    while place < len(message):
        start = place
        tag, place = _varint(message, place)
        assert tag & 7 == 2, f"wire type {tag & 7} is not length-delimited"
        length, place = _varint(message, place)
        place += length
        yield tag >> 3, message[place - length : place], message[start:place]


def _varint(message: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[place]
        place += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, place
