"""Rules about the manifest: that it is one, and that the packages are what it says."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Mapping
from types import NoneType, UnionType
from typing import Any

from pipeline.bundle.manifest import File, Manifest, Package, SCHEMA
from pipeline.config import FUNCTION_PACKAGE, LAYER_PACKAGE, MANIFEST
from pipeline.inspection.rules import Finding, Rule
from pipeline.runtimes import MACHINES, RUNTIMES, _NOTICE_DAYS, updates_are_blocked

# 65,535 files with long names, and some to spare.
MAX_MANIFEST_BYTES = 32 << 20


_SHA256 = re.compile(r"[0-9a-f]{64}")


_HANDLER = re.compile(r"[A-Za-z_]\w{0,99}(\.[A-Za-z_]\w{0,99}){1,20}", re.ASCII)


class _MalformedError(Exception):
    """The manifest is not of the shape that build writes."""


class _Sha256(str):
    """Stands for 64 hexadecimal digits where the shape of a value is stated."""


class _MaybeSha256(_Sha256):
    """The same, or null."""


_Shape = Mapping[str, type | UnionType]


_DOCUMENT: _Shape = {"id": _Sha256, "content": dict, "source": dict}


_SOURCE: _Shape = {
    "commit": str | NoneType,
    "layer_recipe_sha256": _MaybeSha256,
    "dependencies": dict,
    "own_files": list,
}


_CONTENT: _Shape = {
    "schema": int,
    "function": dict,
    "layer": dict | NoneType,
    "layer_lock_sha256": _MaybeSha256,
    "handler": str,
    "runtime": str,
    "architecture": str,
}


_PACKAGE: _Shape = {
    "name": str,
    "size_bytes": int,
    "sha256": _Sha256,
    "sha256_base64": str,
    "files": list,
}


_FILE: _Shape = {"path": str, "size_bytes": int, "sha256": _Sha256}


def read_manifest(text: bytes) -> tuple[Manifest | None, list[Finding]]:
    """Return the manifest in `text`, or None if it is none, and the findings about it alone."""
    findings: list[Finding] = []

    def report(rule: Rule, message: str) -> None:
        findings.append(Finding(rule, MANIFEST, None, message))

    try:
        document = _fields(_parse(text), _DOCUMENT, "it")
        schema = document["content"].get("schema")
        if schema != SCHEMA:
            report(Rule.MANIFEST_SCHEMA, f"its schema is {_shown(schema)}, known is {SCHEMA}")
            return None, findings
        manifest = _manifest(document)
    except _MalformedError as error:
        report(Rule.MANIFEST_MALFORMED, str(error))
        return None, findings
    for key, package in zip(("function", "layer"), manifest.packages(), strict=False):
        if document["content"][key]["sha256_base64"] != package.sha256_base64:
            report(Rule.MANIFEST_BASE64, f"sha256 and sha256_base64 of {package.name} differ")
    if not findings and document["id"] != manifest.id:
        report(Rule.MANIFEST_ID, f"its id is {document['id']}, its content makes {manifest.id}")
    if not is_handler(manifest.handler):
        report(Rule.HANDLER_MALFORMED, f"its handler is {_shown(manifest.handler)}")
    if manifest.architecture not in MACHINES:
        known = ", ".join(MACHINES)
        message = f"its architecture is {_shown(manifest.architecture)}, known are {known}"
        report(Rule.UNKNOWN_ARCHITECTURE, message)
    return manifest, findings


def is_handler(name: str) -> bool:
    """Return whether `name` is a module and a function in it, as Lambda wants a handler named."""
    return bool(_HANDLER.fullmatch(name))


def check_package(package: Package, size_bytes: int, sha256: str) -> list[Finding]:
    """Return the findings about the zip itself, against what the manifest says of it."""
    findings = []
    if size_bytes != package.size_bytes:
        message = f"it is {size_bytes:,} bytes, the manifest says {package.size_bytes:,}"
        findings.append(Finding(Rule.MANIFEST_PACKAGE_SIZE, package.name, None, message))
    if sha256 != package.sha256:
        message = f"its sha256 is {sha256}, the manifest says {package.sha256}"
        findings.append(Finding(Rule.MANIFEST_PACKAGE_DIGEST, package.name, None, message))
    return findings


def check_files(package: Package, paths: Iterable[str], read: Mapping[str, File]) -> list[Finding]:
    """Return the findings about the zip's files, against what the manifest says of them.

    `paths` are all files in the zip, `read` those of which the content could be read.
    """
    listed = {file.path: file for file in package.files}
    there = set(paths)
    differences = [
        (path, "it is in the manifest and not in the zip") for path in listed.keys() - there
    ]
    differences += [
        (path, "it is in the zip and not in the manifest") for path in there - listed.keys()
    ]
    findings = [
        Finding(Rule.MANIFEST_FILE_LIST, package.name, path, message)
        for path, message in differences
    ]
    for path in listed.keys() & read.keys():
        if read[path] != listed[path]:
            message = "its content is not what the manifest says: size or sha256 differ"
            findings.append(Finding(Rule.MANIFEST_FILE_CONTENT, package.name, path, message))
    return findings


def _shown(value: object) -> str:
    """Return a value from the manifest as a message may quote it, however large it is."""
    return f"{value!r:.80}" if isinstance(value, str | int) else f"a {type(value).__name__}"


def _parse(text: bytes) -> Any:
    if len(text) > MAX_MANIFEST_BYTES:
        raise _MalformedError(f"it is over {MAX_MANIFEST_BYTES:,} bytes")
    try:
        return json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise _MalformedError(f"it is not JSON: {error}") from error


def _fields(data: Any, shape: _Shape, what: str) -> dict[str, Any]:
    """Return `data` if it is an object with exactly the members that `shape` names."""
    if not isinstance(data, dict) or data.keys() != shape.keys():
        raise _MalformedError(f"{what} has other members than {', '.join(shape)}")
    for key, kind in shape.items():
        value = data[key]
        if kind in (_Sha256, _MaybeSha256):
            is_digest = isinstance(value, str) and bool(_SHA256.fullmatch(value))
            fits = is_digest or (value is None and kind is _MaybeSha256)
        else:
            fits = isinstance(value, kind) and not isinstance(value, bool)
        if not fits:
            raise _MalformedError(f"{key} of {what} is not valid")
    return data


def _manifest(document: dict[str, Any]) -> Manifest:
    content = _fields(document["content"], _CONTENT, "its content")
    # Bundles that were stored before it was named have no `own_files`.
    source = _fields({"own_files": []} | document["source"], _SOURCE, "its source")
    about_layer = (content["layer"], content["layer_lock_sha256"], source["layer_recipe_sha256"])
    if None in about_layer and about_layer != (None, None, None):
        raise _MalformedError("it contradicts itself about the layer")
    if not all(isinstance(version, str) for version in source["dependencies"].values()):
        raise _MalformedError("a dependency's version is not a string")
    if not all(isinstance(path, str) for path in source["own_files"]):
        raise _MalformedError("a path of own_files is not a string")
    return Manifest(
        function=_package(content["function"], FUNCTION_PACKAGE),
        layer=_package(content["layer"], LAYER_PACKAGE) if content["layer"] is not None else None,
        layer_lock_sha256=content["layer_lock_sha256"],
        handler=content["handler"],
        runtime=content["runtime"],
        architecture=content["architecture"],
        commit=source["commit"],
        layer_recipe_sha256=source["layer_recipe_sha256"],
        dependencies=source["dependencies"],
        own_files=tuple(source["own_files"]),
    )


def _package(data: Any, name: str) -> Package:
    fields = _fields(data, _PACKAGE, f"what it says of {name}")
    if fields["name"] != name:
        raise _MalformedError(f"it calls {name} {_shown(fields['name'])}")
    files = tuple(
        File(**_fields(file, _FILE, f"file {number} of {name}"))
        for number, file in enumerate(fields["files"], start=1)
    )
    if len({file.path for file in files}) != len(files):
        raise _MalformedError(f"it names a file of {name} twice")
    return Package(name, fields["size_bytes"], fields["sha256"], files)


def check_runtime(name: str, today: datetime.date, manifest: str) -> list[Finding]:
    """Return the findings about the runtime called `name` as of `today` (a UTC date).

    `manifest` is the file that they are reported on.
    """
    runtime = RUNTIMES.get(name)
    if runtime is None:
        known = ", ".join(RUNTIMES)
        message = f"its runtime is {name!r:.80}, known are {known}"
        return [Finding(Rule.UNKNOWN_RUNTIME, manifest, None, message)]
    if updates_are_blocked(name, today):
        message = f"AWS blocks updates of functions on {name} since {runtime.updates_blocked}"
        return [Finding(Rule.RUNTIME_BLOCKED, manifest, None, message)]
    days = (runtime.deprecated - today).days
    if days > _NOTICE_DAYS:
        return []
    when = f"in {days} days, on" if days > 0 else "since"
    message = f"AWS deprecates {name} {when} {runtime.deprecated}"
    return [Finding(Rule.RUNTIME_DEPRECATED, manifest, None, message)]
