"""Rules about code: what the handler's source defines and imports, and what shared objects need."""

from __future__ import annotations

import ast
import importlib.util
import re
import symtable
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from pipeline.bundle import bytecode, imports
from pipeline.inspection import elf
from pipeline.config import FUNCTION_PACKAGE, HANDLER_FILE, LAYER_PACKAGE
from pipeline.inspection.rules import Finding, Rule
from pipeline.runtimes import MACHINES, Runtime

# Making the syntax tree of dense source takes up to 700 times its size, so this bounds it to some
# 350 MB. The largest file that pymongo has is 140 KiB.
MAX_SOURCE_BYTES = 512 << 10

# CPython's way to name an extension module for one version and platform ("EXT_SUFFIX").
_TAGGED = re.compile(
    r".*\.(?P<python>cpython-[0-9a-z]+|pypy[0-9a-z]+-[0-9a-z]+)-(?P<platform>[^./]+)\.so"
)
_SHARED_OBJECT = re.compile(r".*\.so(?:\.[0-9]+)*")
_FOREIGN_SUFFIXES = (".pyd", ".dll", ".dylib")

# What Python raises for source that it cannot compile: the last three if it is nested too deeply.
COMPILE_ERRORS = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)


@dataclass(frozen=True)
class Target:
    """What the code is for, as far as the manifest tells."""

    handler: str | None
    runtime: Runtime | None
    architecture: str | None


def check_handler_source(source: bytes, target: Target) -> list[Finding]:
    """Return the findings about the handler's file, whose bytes are `source`."""
    package, path = FUNCTION_PACKAGE, HANDLER_FILE.name
    try:
        text = importlib.util.decode_source(source)
        tree = ast.parse(text, feature_version=target.runtime.python if target.runtime else None)
        compile(tree, path, "exec", dont_inherit=True)
        names = symtable.symtable(text, path, "exec").get_symbols()
    except COMPILE_ERRORS as error:
        return [does_not_compile(package, path, error)]
    if target.handler is None:
        return []
    module, _, function = target.handler.partition(".")
    if f"{module}.py" != path:
        message = f"the handler is {target.handler}, which is not in {path}"
        return [Finding(Rule.HANDLER_NOT_DEFINED, package, path, message)]
    if not any(
        name.get_name() == function and (name.is_assigned() or name.is_imported()) for name in names
    ):
        message = f"{function} is not defined at its top level"
        return [Finding(Rule.HANDLER_NOT_DEFINED, package, path, message)]
    return []


def does_not_compile(package: str, path: str, error: Exception) -> Finding:
    """Return the finding for source that made Python raise `error`, one of COMPILE_ERRORS."""
    if isinstance(error, SyntaxError):
        return Finding(Rule.DOES_NOT_COMPILE, package, path, error.msg, error.lineno)
    if isinstance(error, ValueError):
        return Finding(Rule.DOES_NOT_COMPILE, package, path, str(error))
    return Finding(Rule.DOES_NOT_COMPILE, package, path, "it is nested too deeply")


def read_imports(source: bytes) -> dict[str, int]:
    """Return the top-level packages that `source` imports: name → first line.

    Raises one of COMPILE_ERRORS if it does not parse.
    """
    return imports.imported_packages(importlib.util.decode_source(source))


def check_bytecode(path: str, content: bytes, target: Target) -> list[Finding]:
    """Return the findings about the layer's bytecode at `path`, whose bytes are `content`."""
    message = bytecode.what_is_wrong(content, target.runtime.magic if target.runtime else None)
    return [Finding(Rule.UNUSABLE_BYTECODE, LAYER_PACKAGE, path, message)] if message else []


def check_provided(handler_imports: Mapping[str, int], layer: Set[str]) -> list[Finding]:
    """Return the findings about what the handler imports (name → line), with that `layer`.

    `layer` are the layer's top-level packages.
    """
    missing = imports.needs_from_layer(handler_imports) - layer - {HANDLER_FILE.stem}
    return [
        Finding(
            Rule.IMPORT_NOT_PROVIDED,
            FUNCTION_PACKAGE,
            HANDLER_FILE.name,
            f"it imports {name}, which neither Python nor the runtime nor the layer has",
            handler_imports[name],
        )
        for name in missing
    ]


def check_used(
    handler_imports: Iterable[str], layer_imports: Mapping[str, Set[str]]
) -> list[Finding]:
    """Return the findings about what is in the layer and never imported.

    `layer_imports` maps each top-level package of the layer to the packages that it imports.
    """
    unused = layer_imports.keys() - imports.reachable(handler_imports, layer_imports)
    message = "nothing that the handler imports leads to it"
    return [
        Finding(Rule.UNUSED_LAYER_PACKAGE, LAYER_PACKAGE, f"python/{name}", message)
        for name in unused
    ]


def is_shared_object(path: str, start: bytes) -> bool:
    """Say whether a file is native code, by its `path` or by how its content starts."""
    by_name = bool(_SHARED_OBJECT.fullmatch(path)) or path.endswith(_FOREIGN_SUFFIXES)
    return by_name or start.startswith(elf.ELF_MARK)


def check_shared_object(package: str, path: str, content: bytes, target: Target) -> list[Finding]:
    """Return the findings about the native code at `path`, whose bytes are `content`."""
    if path.endswith(_FOREIGN_SUFFIXES):
        message = "it is for Windows or macOS"
        return [Finding(Rule.WRONG_ARCHITECTURE, package, path, message)]
    try:
        needs = elf.read_shared_object(content)
    except ValueError as error:
        return [Finding(Rule.INVALID_ELF, package, path, str(error))]
    tag = _TAGGED.fullmatch(path)
    messages = {
        Rule.WRONG_ARCHITECTURE: _wrong_architecture(needs, tag, target.architecture),
        Rule.WRONG_PYTHON: _wrong_python(tag, target.runtime),
        Rule.GLIBC_TOO_NEW: _glibc_too_new(needs, target.runtime),
    }
    return [Finding(rule, package, path, text) for rule, text in messages.items() if text]


def _wrong_architecture(
    needs: elf.SharedObject, tag: re.Match[str] | None, architecture: str | None
) -> str | None:
    if architecture not in MACHINES:
        return None
    machine, platform = MACHINES[architecture]
    if needs.machine != machine or not needs.is_lp64:
        return f"it is for {needs.machine}, the function runs on {machine}"
    if tag and tag["platform"] != platform:
        return f"its name says {tag['platform']}, and Python looks for {platform} there"
    return None


def _wrong_python(tag: re.Match[str] | None, runtime: Runtime | None) -> str | None:
    if not tag or not runtime:
        return None
    python = f"cpython-{runtime.python[0]}{runtime.python[1]}"
    return None if tag["python"] == python else f"it is for {tag['python']}, not {python}"


def _glibc_too_new(needs: elf.SharedObject, runtime: Runtime | None) -> str | None:
    if not runtime or needs.glibc is None or needs.glibc <= runtime.glibc:
        return None
    wanted, there = (".".join(map(str, version)) for version in (needs.glibc, runtime.glibc))
    return f"it needs glibc {wanted}, the runtime has {there}"
