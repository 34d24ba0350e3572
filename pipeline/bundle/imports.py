"""Who imports what: the top-level packages that Python source names, and what they lead to."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping, Set

# What AWS's python3.13 runtime carries beside the standard library, in /var/runtime.
# Source: AWS Lambda developer guide, "Working with layers for Python Lambda functions"
# (the runtime includes boto3 and what it depends on) and the interface client itself.
RUNTIME_PACKAGES = frozenset(
    {
        *("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py"),
        *("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"),
    }
)
_MISSING = ("ImportError", "ModuleNotFoundError", "Exception")


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


def required_imports(source: str | bytes) -> dict[str, int]:
    """Return the modules, and names in modules, that `source` imports in any case: name → line.

    Relative names begin with their dots. An import that is guarded is left out: under a condition
    (`if TYPE_CHECKING`, `if sys.version_info`), or where its failure is handled (`try`,
    `suppress`).
    Raises SyntaxError if the source does not parse.
    """
    found: dict[str, int] = {}
    for node in _unguarded(ast.parse(source).body):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            module = "." * node.level + (node.module or "")
            names = [module, *(f"{module.rstrip('.')}.{alias.name}" for alias in node.names)]
        for name in names:
            found.setdefault(name, node.lineno)
    return found


def _unguarded(statements: Iterable[ast.AST]) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in statements:
        match node:
            case ast.Import() | ast.ImportFrom():
                yield node
            case ast.Try() | ast.TryStar():
                handled = any(_names_failure(handler.type) for handler in node.handlers)
                yield from _unguarded([] if handled else node.body)
                yield from _unguarded([*node.orelse, *node.finalbody])
            case ast.With() if not any(_names_failure(item.context_expr) for item in node.items):
                yield from _unguarded(node.body)
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _unguarded(node.body)


def _names_failure(expression: ast.expr | None) -> bool:
    """Say whether what is caught, or suppressed, is a failed import; None catches everything."""
    return expression is None or any(name in ast.unparse(expression) for name in _MISSING)


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
