"""Rules about the manifest: that it is one, and that the packages are what it says."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.bundle.manifest import File, Manifest, Package, SCHEMA
from pipeline.config import FUNCTION_PACKAGE, LAYER_PACKAGE, MANIFEST
from pipeline.inspection.rules import Finding, Rule
from pipeline.runtimes import MACHINES, RUNTIMES, _NOTICE_DAYS, updates_are_blocked

# 65,535 files with long names, and some to spare.
MAX_MANIFEST_BYTES = 32 << 20

_SHA256 = re.compile(r"[0-9a-f]{64}")
_HANDLER = re.compile(r"[A-Za-z_]\w{0,99}(\.[A-Za-z_]\w{0,99}){1,20}", re.ASCII)


def read_manifest(text: bytes) -> tuple[Manifest | None, list[Finding]]:
    """Return the manifest in `text`, or None if it is none, and the findings about it alone."""
    findings: list[Finding] = []

    def report(rule: Rule, message: str) -> None:
        findings.append(Finding(rule, MANIFEST, None, message))

    try:
        document = _parse(text)
        schema = document["content"].get("schema")
        if schema != SCHEMA:
            report(Rule.MANIFEST_SCHEMA, f"its schema is {_shown(schema)}, known is {SCHEMA}")
            return None, findings
        manifest = Manifest.from_json(document)
        _check_form(document, manifest)
    except ValueError as error:
        report(Rule.MANIFEST_MALFORMED, f"{error!s:.200}")
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
        raise ValueError(f"it is over {MAX_MANIFEST_BYTES:,} bytes")
    try:
        document = json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from error
    match document:
        case {"content": dict(), "source": dict()}:
            return document
    raise ValueError("it has no content and no source")


def _check_form(document: dict[str, Any], manifest: Manifest) -> None:
    """Raise ValueError unless the document is what `manifest`, read from it, is written as.

    What is derived from the rest may be another string: the id, and digests in base64.
    """
    about_layer = manifest.layer, manifest.layer_lock_sha256, manifest.layer_recipe_sha256
    if None in about_layer and about_layer != (None, None, None):
        raise ValueError("it contradicts itself about the layer")
    digests = list(about_layer[1:] if manifest.layer else ())
    for name, package in zip((FUNCTION_PACKAGE, LAYER_PACKAGE), manifest.packages(), strict=False):
        if package.name != name:
            raise ValueError(f"it calls {name} {_shown(package.name)}")
        digests += [package.sha256, *(file.sha256 for file in package.files)]
        if len({file.path for file in package.files}) != len(package.files):
            raise ValueError(f"it names a file of {name} twice")
    if wrong := [digest for digest in digests if not _is_sha256(digest)]:
        raise ValueError(f"{_shown(wrong[0])} is no sha256")
    if not isinstance(manifest.commit, str | None):
        raise ValueError("commit is not a string")
    # Bundles that were stored before it was named have no `own_files`.
    given = document | {"source": {"own_files": []} | document["source"]}
    if place := _difference(given, manifest.to_json()):
        raise ValueError(f"{place} is not valid")


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and bool(_SHA256.fullmatch(value))


def _difference(given: Any, written: Any, place: str = "it") -> str | None:
    """Return the place of the first difference, or None."""
    if place == "it.id" or place.endswith(".sha256_base64"):
        return None if isinstance(given, str) else place
    if isinstance(given, dict) and isinstance(written, dict) and given.keys() == written.keys():
        parts = [(given[key], written[key], f"{place}.{key}") for key in given]
    elif isinstance(given, list) and isinstance(written, list) and len(given) == len(written):
        parts = [
            (*both, f"{place}[{number}]")
            for number, both in enumerate(zip(given, written, strict=True))
        ]
    else:
        return None if type(given) is type(written) and given == written else place
    return next(filter(None, (_difference(*part) for part in parts)), None)


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
