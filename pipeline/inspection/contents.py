"""Read every file of a package once, piece by piece, and show it to the rules about content.

Memory holds one piece at a time, but for Python source and bytecode (at most 512 KiB) and shared
objects, which their rules need whole.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, field

from pipeline.bundle import bytecode, imports
from pipeline.inspection import code, entries
from pipeline.bundle.manifest import File
from pipeline.inspection.code import Target
from pipeline.secret_scan import CredentialScanner
from pipeline.inspection.zip_reader import DamageError, Entry, OpenedPackage
from pipeline.config import FUNCTION_PACKAGE, HANDLER_FILE, LAYER_PACKAGE
from pipeline.inspection.rules import Finding, Rule
from pipeline.inspection.unpacking import read_chunks

_PYTHON = (".py", bytecode.SUFFIX)


@dataclass
class Contents:
    """What reading a package has told.

    `files` are those that could be read to their end. `imports` maps each top-level module of
    the package to what it imports and the first line where it does (0 in bytecode, of which all
    names are taken); `all_imports_known` says that nothing is missing there because a file could
    not be read.
    """

    files: dict[str, File] = field(default_factory=dict)
    imports: dict[str, dict[str, int]] = field(default_factory=dict)
    all_imports_known: bool = True
    findings: list[Finding] = field(default_factory=list)


def read_contents(package: OpenedPackage, target: Target) -> Contents:
    """Read all files of the package that can be read, as code that is meant for `target`."""
    contents = Contents()
    with warnings.catch_warnings():
        # Python warns of some of what it parses (an escape that it does not know, `is` with a
        # literal): that is its author's matter, and no finding.
        warnings.simplefilter("ignore")
        for entry in package.entries:
            if entries.is_regular_file(entry):
                _read_file(package, entry, target, contents)
    return contents


def _read_file(package: OpenedPackage, entry: Entry, target: Target, contents: Contents) -> None:
    module = _importable(package.name, entry)
    imported = contents.imports.setdefault(module, {}) if module else {}
    unpacked = _unpack(package, entry, contents)
    if entry.path.endswith(_PYTHON):
        known = _check_python(package.name, unpacked, target, contents) if unpacked else None
        imported |= known or {}
        contents.all_imports_known &= known is not None
    elif unpacked and unpacked.content is not None:
        contents.findings += code.check_shared_object(
            package.name, entry.path, unpacked.content, target
        )


def _importable(package: str, entry: Entry) -> str | None:
    """Return the top-level module that the entry is, or belongs to, if it can be imported."""
    root = "" if package == FUNCTION_PACKAGE else "python/"
    if not entry.path.startswith(root) or not entries.is_safe(entry):
        return None
    return imports.top_level(entry.path.removeprefix(root))


@dataclass(frozen=True)
class _Unpacked:
    """A file that was read to its end, and its `content` if a rule needs it whole."""

    file: File
    content: bytes | None


def _unpack(package: OpenedPackage, entry: Entry, contents: Contents) -> _Unpacked | None:
    """Unpack the entry, and look for credentials; return None if it cannot be read."""
    if entry.data_at is None or entries.is_bomb(entry):
        return None
    digest = hashlib.sha256()
    scanner = CredentialScanner(third_party=package.name != FUNCTION_PACKAGE)
    start, pieces = b"", []
    try:
        for piece in read_chunks(package.file, entry):
            digest.update(piece)
            scanner.feed(piece)
            start = start or piece
            if _is_needed_whole(entry, start):
                pieces.append(piece)
    except DamageError as damage:
        contents.findings.append(Finding(damage.rule, package.name, entry.path, damage.message))
        return None
    for kind, line in scanner.finish().items():
        message = f"it holds what looks like a credential: {kind}"
        contents.findings.append(Finding(Rule.CREDENTIAL, package.name, entry.path, message, line))
    file = File(entry.path, entry.size_bytes, digest.hexdigest())
    contents.files[entry.path] = file
    return _Unpacked(file, b"".join(pieces) if _is_needed_whole(entry, start) else None)


def _is_needed_whole(entry: Entry, start: bytes) -> bool:
    if entry.path.endswith(_PYTHON):
        return entry.size_bytes <= code.MAX_SOURCE_BYTES
    return code.is_shared_object(entry.path, start)


def _check_python(
    package: str, unpacked: _Unpacked, target: Target, contents: Contents
) -> dict[str, int] | None:
    """Check source or bytecode, and return what it imports (name → line) if that can be told."""
    path, content = unpacked.file.path, unpacked.content
    if content is None:
        message = f"it is {unpacked.file.size_bytes:,} bytes of Python, and was not checked"
        contents.findings.append(Finding(Rule.SOURCE_TOO_LARGE, package, path, message))
        return None
    if path.endswith(bytecode.SUFFIX):
        if package == LAYER_PACKAGE:
            contents.findings += code.check_bytecode(path, content, target)
        return dict.fromkeys(bytecode.names(content), 0)
    is_handler = (package, path) == (FUNCTION_PACKAGE, HANDLER_FILE.name)
    findings = code.check_handler_source(content, target) if is_handler else []
    contents.findings += findings
    try:
        return code.read_imports(content)
    except code.COMPILE_ERRORS as error:
        if not findings:
            contents.findings.append(code.does_not_compile(package, path, error))
        return None
