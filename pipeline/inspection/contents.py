"""Read every file of a package once, piece by piece, and show it to the rules about content.

Memory holds one piece at a time, but for the function's source and for native code, which their
rules need whole.
"""

from __future__ import annotations

import hashlib
import warnings
from contextlib import suppress
from dataclasses import dataclass, field

from pipeline.bundle import bytecode, imports
from pipeline.bundle.manifest import File
from pipeline.config import FUNCTION_PACKAGE
from pipeline.inspection import code, entries, native
from pipeline.inspection.code import Target
from pipeline.inspection.elf import SharedObject
from pipeline.inspection.rules import Finding, Rule
from pipeline.inspection.unpacking import read_chunks
from pipeline.inspection.zip_reader import DamageError, Entry, OpenedPackage
from pipeline.secret_scan import CredentialScanner


@dataclass
class Contents:
    """What was read of a package.

    `files` are those that could be read to their end, `modules` the top-level modules that can be
    imported, `required` what each of the function's files imports without a guard (path: name →
    line), and `native` what each shared object needs (by path).
    """

    files: dict[str, File] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    required: dict[str, dict[str, int]] = field(default_factory=dict)
    native: dict[str, SharedObject] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def read_contents(package: OpenedPackage, target: Target) -> Contents:
    """Read all files of the package that can be read, as code that is meant for `target`."""
    contents = Contents()
    sources = {entry.path for entry in package.entries if entry.path.endswith(".py")}
    with warnings.catch_warnings():
        # Python warns of some of what it parses (an escape that it does not know, `is` with a
        # literal): that is its author's matter, and no finding.
        warnings.simplefilter("ignore")
        for entry in package.entries:
            if entries.is_regular_file(entry):
                _read_file(package, entry, target, sources, contents)
    contents.findings += native.check_platform(package.name, contents.native, target)
    return contents


def _read_file(
    package: OpenedPackage, entry: Entry, target: Target, sources: set[str], contents: Contents
) -> None:
    path = entry.path
    if module := _importable(package.name, entry):
        contents.modules.add(module)
    content = _unpack(package, entry, target, contents)
    if content is None:
        return
    if path in sources:
        findings, contents.required[path] = code.check_source(path, content, target)
        contents.findings += findings
    elif path.endswith(bytecode.SUFFIX):
        # Next to its source, and in __pycache__, Python uses bytecode only if it matches.
        stands_alone = path.removesuffix("c") not in sources and "/__pycache__/" not in path
        if package.name != FUNCTION_PACKAGE and stands_alone:
            contents.findings += code.check_bytecode(path, content, target)
    else:
        try:
            if needs := native.read(path, content):
                contents.native[path] = needs
        except ValueError as error:
            contents.findings.append(Finding(Rule.INVALID_ELF, package.name, path, str(error)))


def _importable(package: str, entry: Entry) -> str | None:
    """Return the top-level module that the entry is, or belongs to, if it can be imported."""
    root = "" if package == FUNCTION_PACKAGE else "python/"
    if not entry.path.startswith(root) or not entries.is_safe(entry):
        return None
    return imports.top_level(entry.path.removeprefix(root))


def _unpack(
    package: OpenedPackage, entry: Entry, target: Target, contents: Contents
) -> bytes | None:
    """Unpack the entry, and look for credentials; return what of it a rule needs, if any does."""
    if entry.data_at is None:
        return None
    digest = hashlib.sha256()
    is_ours = package.name == FUNCTION_PACKAGE or entry.path in target.own_files
    scanner = CredentialScanner(third_party=not is_ours)
    kept: list[bytes] = []
    start = None
    try:
        for piece in read_chunks(package.file, entry):
            digest.update(piece)
            scanner.feed(piece)
            start = piece if start is None else start
            if _is_kept(package.name, entry, start):
                kept.append(piece)
    except DamageError as damage:
        contents.findings.append(Finding(damage.rule, package.name, entry.path, damage.message))
        return None
    for kind, line in scanner.finish().items():
        contents.findings.append(Finding.of_credential(package.name, entry.path, kind, line))
    contents.files[entry.path] = File(entry.path, entry.size_bytes, digest.hexdigest())
    return b"".join(kept) if _is_kept(package.name, entry, start or b"") else None


def _is_kept(package: str, entry: Entry, start: bytes) -> bool:
    if entry.path.endswith(".py"):
        return package == FUNCTION_PACKAGE and entry.size_bytes <= code.MAX_SOURCE_BYTES
    return entry.path.endswith(bytecode.SUFFIX) or native.is_native(entry.path, start)


def imported_without_guard(package: OpenedPackage, modules: set[str]) -> set[str]:
    """Return which of `modules` (the last parts of their names) Python in the package imports.

    Bytecode says of a name only that it is there: that counts.
    """
    found: set[str] = set()
    for entry in package.entries:
        if entry.path.endswith((".py", bytecode.SUFFIX)) and entry.data_at is not None:
            content = b"".join(read_chunks(package.file, entry))
            named = {module for module in modules - found if module.encode() in content}
            if named and entry.path.endswith(".py"):
                with suppress(SyntaxError, ValueError, RecursionError):
                    required = imports.required_imports(content)
                    found |= named & {name.rpartition(".")[2] for name in required}
            else:
                found |= named
    return found
