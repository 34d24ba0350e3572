"""Lambda's Invoke, as AWS does it: qualifiers, alias weights, logs and metrics."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import random
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.cloudwatch.models import cloudwatch_backends
from moto.logs.models import logs_backends

from localcloud import conditions
from localcloud.runtime.execution_environment import FunctionVersion, Invocation
from localcloud.runtime.pool import Pool

# The largest event, in bytes: "Lambda quotas", invocation payload (synchronous).
MAX_EVENT_BYTES = 6_291_456


class ThrottledError(Exception):
    """As many calls of a function run as its reserved concurrency lets run."""


@dataclass(frozen=True)
class Target:
    """What a call was aimed at, and the version that got it; `shared`: by an alias with weights."""

    function: LambdaFunction
    executed_version: str
    qualifier: str | None
    shared: bool


class Functions:
    """Runs what moto's Lambda stores, and writes the traces that AWS would leave."""

    def __init__(
        self,
        folder: Path,
        pool: Pool,
        function_environment: dict[str, str],
        credentials_of: Callable[[str], dict[str, str]],
    ) -> None:
        """Unpack code below `folder`; add `function_environment` to every function's own.

        `credentials_of` gives the environment variables that let a function act as its role.
        """
        self._folder = folder
        self._pool = pool
        self._environment = function_environment
        self._credentials_of = credentials_of
        self._unpacking = threading.Lock()
        self._writing = threading.Lock()
        self._running: Counter[str] = Counter()
        self._counting = threading.Lock()

    def resolve(self, backend: LambdaBackend, name: str, qualifier: str | None) -> Target:
        """Find the version that a call of `name` (or ARN) with `qualifier` goes to.

        An alias with weights picks one again for each call. Raises moto's errors for what is not
        there, which its server turns into AWS's.
        """
        _, function_name, in_name = backend._lambdas.split_function_arn(name)
        qualifier = in_name or qualifier
        version, shared = qualifier or "$LATEST", False
        if qualifier and qualifier in backend._lambdas._get_function_aliases(function_name):
            alias = backend.get_alias(qualifier, function_name)
            version, shared = _weighted(alias), bool(_weights(alias))
        return Target(backend.get_function(function_name, version), version, qualifier, shared)

    def invoke(self, backend: LambdaBackend, target: Target, event: bytes) -> Invocation:
        """Run the target's code with a JSON event; log it and count it.

        Raises Throttled where reserved concurrency allows no more calls at the moment, and Sleeping
        where the version has to wake first.
        """
        conditions.refuse_sleeping(target.function)
        with self._admitted(backend, target):
            container, invocation = self._pool.invoke(self._version(backend, target), event)
        with self._writing:
            _write_log(target.function, container.log_stream, invocation)
            figures = [
                ("Invocations", 1.0, "Count"),
                ("Errors", 1.0 if invocation.function_error else 0.0, "Count"),
                ("Throttles", 0.0, "Count"),
                ("Duration", invocation.duration_ms, "Milliseconds"),
            ]
            _count(target, figures)
        return invocation

    @contextmanager
    def _admitted(self, backend: LambdaBackend, target: Target) -> Iterator[None]:
        """Count a call among those that run, for as long as it does."""
        name = target.function.function_name
        # A setting of the function, not of its versions.
        most = backend.get_function(name).reserved_concurrency
        with self._counting:
            admitted = most is None or self._running[name] < int(most)
            self._running[name] += admitted
        if not admitted:
            with self._writing:
                _count(target, [("Throttles", 1.0, "Count")])
            raise ThrottledError
        try:
            yield
        finally:
            with self._counting:
                self._running[name] -= 1

    def _version(self, backend: LambdaBackend, target: Target) -> FunctionVersion:
        function = target.function
        layers = [backend.layers_versions_by_arn(layer["Arn"]) for layer in function.layers]
        credentials = self._credentials_of(function.role)
        environment = self._environment | credentials | function.environment_vars
        return FunctionVersion(
            function_name=function.function_name,
            version=target.executed_version,
            code_sha256=function.code_sha_256,
            task_root=self._unpacked(function.code_sha_256, function.code_bytes),
            layer_roots=tuple(
                self._unpacked(layer.code_sha_256, layer.code_bytes) for layer in layers if layer
            ),
            handler=function.handler,
            timeout_s=int(function.timeout),
            memory_mb=int(function.memory_size),
            environment=tuple(sorted(environment.items())),
            log_group=function.logging_config["LogGroup"],
            log_format=function.logging_config["LogFormat"],
            last_modified=function.last_modified,
        )

    def _unpacked(self, sha256_base64: str, archive: bytes) -> Path:
        folder = self._folder / base64.b64decode(sha256_base64).hex()
        with self._unpacking:
            if folder.exists():
                return folder
            # Named by its content: at this very moment, the code may be changing.
            folder = self._folder / hashlib.sha256(archive).hexdigest()
            if not folder.exists():
                unfinished = folder.with_suffix(".unfinished")
                with zipfile.ZipFile(io.BytesIO(archive)) as zip_file:
                    for info in zip_file.infolist():
                        place = zip_file.extract(info, unfinished)
                        # As Lambda does, and extract() does not: programs stay executable.
                        if mode := info.external_attr >> 16 & 0o777:
                            os.chmod(place, mode)
                unfinished.rename(folder)
        return folder


def _write_log(function: LambdaFunction, stream: str, invocation: Invocation) -> None:
    logs = logs_backends[function.account_id][function.region]
    group = function.logging_config["LogGroup"]
    logs.ensure_log_group(group)
    if stream not in logs.groups[group].streams:
        logs.create_log_stream(group, stream)
    now_ms = int(time.time() * 1000)
    events = [{"timestamp": now_ms, "message": line} for line in invocation.log]
    logs.put_log_events(group, stream, events)


def _count(target: Target, figures: list[tuple[str, float, str]]) -> None:
    """Write metrics (name, value, unit) with the dimensions that AWS uses.

    Source: AWS Lambda developer guide, "Types of metrics for Lambda functions": by function,
    by resource (function:alias or function:version), and by executed version for an alias that
    shares its traffic between two.
    """
    function = target.function
    dimensions = [{"FunctionName": function.function_name}]
    if target.qualifier:
        resource = f"{function.function_name}:{target.qualifier}"
        dimensions.append(dimensions[0] | {"Resource": resource})
        if target.shared:
            dimensions.append(dimensions[1] | {"ExecutedVersion": target.executed_version})
    data: list[dict[str, Any]] = [
        {
            "MetricName": name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimension.items()],
            "Value": figure,
            "Unit": unit,
        }
        for name, figure, unit in figures
        for dimension in dimensions
    ]
    backend = cloudwatch_backends[function.account_id][function.region]
    backend.put_metric_data("AWS/Lambda", data)


def _weights(alias: Any) -> dict[str, float]:
    return (alias.routing_config or {}).get("AdditionalVersionWeights") or {}


def _weighted(alias: Any) -> str:
    """Return the version that one call through `alias` goes to."""
    chance = random.random()
    for version, weight in _weights(alias).items():
        if chance < weight:
            return str(version)
        chance -= weight
    return str(alias.function_version)
