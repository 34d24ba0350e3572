"""Rules about Python: what the function's source defines and imports, and bytecode in the layer.

The source of the layer's packages is not looked at: they hold files for other Pythons, templates
and tests, which nothing imports, and imports that may fail.
"""

from __future__ import annotations

import ast
import importlib.util
import symtable
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from pipeline.bundle import bytecode, imports
from pipeline.config import FUNCTION_PACKAGE, HANDLER_PATH, LAYER_PACKAGE
from pipeline.inspection.rules import Finding, Rule
from pipeline.runtimes import Runtime

# Making the syntax tree of dense source takes up to 700 times its size. What is larger than this
# is not compiled here: importing it proves what could be found.
MAX_SOURCE_BYTES = 1 << 20


@dataclass(frozen=True)
class Target:
    """What the code is for, and which files of the layer are ours, as far as the manifest says."""

    handler: str | None = None
    runtime: Runtime | None = None
    architecture: str | None = None
    own_files: frozenset[str] = frozenset()


def check_source(path: str, source: bytes, target: Target) -> tuple[list[Finding], dict[str, int]]:
    """Check a file of the function; return the findings, and its unguarded imports: name → line."""
    feature_version = target.runtime.python if target.runtime else None
    try:
        text = importlib.util.decode_source(source)
        tree = ast.parse(text, feature_version=feature_version)
        compile(tree, path, "exec", dont_inherit=True)
        findings = []
        if path == HANDLER_PATH and target.handler is not None:
            findings = _check_handler(path, text, target.handler)
        return findings, imports.required_imports(text)
    except SyntaxError as error:
        message, line = error.msg, error.lineno
    except ValueError as error:
        message, line = str(error), None
    except (RecursionError, MemoryError, OverflowError):
        message, line = "it is nested too deeply", None
    return [Finding(Rule.DOES_NOT_COMPILE, FUNCTION_PACKAGE, path, message, line)], {}


def _check_handler(path: str, text: str, handler: str) -> list[Finding]:
    """Return the finding about the handler's definition in its file."""
    module, _, function = handler.rpartition(".")
    place = module.replace(".", "/")
    names = symtable.symtable(text, path, "exec").get_symbols()
    if path not in (f"{place}.py", f"{place}/__init__.py"):
        message = f"the handler is {handler}, which is not in {path}"
    elif "import *" not in text and not any(
        name.get_name() == function and (name.is_assigned() or name.is_imported()) for name in names
    ):
        message = f"{function} is not defined at its top level"
    else:
        return []
    return [Finding(Rule.HANDLER_NOT_DEFINED, FUNCTION_PACKAGE, path, message)]


def check_bytecode(path: str, start: bytes, target: Target) -> list[Finding]:
    """Return the finding about bytecode at `path` of the layer, which begins with `start`."""
    message = bytecode.what_is_wrong(start, target.runtime.magic if target.runtime else None)
    return [Finding(Rule.UNUSABLE_BYTECODE, LAYER_PACKAGE, path, message)] if message else []


def check_provided(
    required: Mapping[str, Mapping[str, int]], provided: Set[str]
) -> Iterator[Finding]:
    """Yield the findings about what the function's files import (path: name → line).

    `provided` are the top-level modules of both packages.
    """
    for path, lines in required.items():
        absolute = {name: line for name, line in lines.items() if not name.startswith(".")}
        top_level = {name.partition(".")[0] for name in absolute}
        for name in imports.needs_from_layer(top_level) - provided:
            message = f"it imports {name}, which neither Python nor the runtime nor the bundle has"
            line = min(at for module, at in absolute.items() if module.partition(".")[0] == name)
            yield Finding(Rule.IMPORT_NOT_PROVIDED, FUNCTION_PACKAGE, path, message, line)
