"""Who imports what: the top-level packages that Python source names, and what they lead to."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Mapping, Set

# What AWS's python3.13 runtime carries beside the standard library, in /var/runtime.
# Source: AWS Lambda developer guide, "Working with layers for Python Lambda functions"
# (the runtime includes boto3 and what it depends on) and the interface client itself.
RUNTIME_PACKAGES = frozenset(
    {"awslambdaric", "boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"}
)


def imported_packages(source: str | bytes) -> dict[str, int]:
    """Return the top-level packages imported anywhere in `source`: name → first line.

    Relative imports stay inside their package and are left out. Names that are computed at run
    time (importlib) cannot be seen. Raises SyntaxError if the source does not parse.
    """
    found: dict[str, int] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
        else:
            continue
        for name in names:
            top = name.partition(".")[0]
            found[top] = min(node.lineno, found.get(top, node.lineno))
    return found


def imported_first(source: str | bytes) -> set[str]:
    """Return the top-level packages without which `source` cannot be imported at all."""
    first = [
        node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    return set(imported_packages(ast.unparse(ast.Module(list(first), []))))


def needs_from_layer(imported: Iterable[str]) -> set[str]:
    """Return those of the `imported` packages that only a layer can provide."""
    return set(imported) - sys.stdlib_module_names - RUNTIME_PACKAGES


def top_level(path: str) -> str:
    """Return the top-level package or module that the file at `path` (in `python/`) belongs to."""
    first, is_folder, _ = path.partition("/")
    return first if is_folder else first.partition(".")[0]


def reachable(roots: Iterable[str], graph: Mapping[str, Set[str]]) -> set[str]:
    """Return the packages of `graph` (package: what it imports) that `roots` can lead to.

    A package counts as a whole: one of its modules may be imported late, when a certain option is
    used (pymongo imports dns when a connection string is mongodb+srv://).
    """
    found: set[str] = set()
    waiting = set(roots)
    while waiting:
        package = waiting.pop()
        if package in graph and package not in found:
            found.add(package)
            waiting |= graph[package]
    return found
