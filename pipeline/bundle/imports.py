"""What Python source imports, and what of it only a layer can provide."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator

# Packages of AWS's python3.13 runtime in /var/runtime, apart from the standard library.
# Source: AWS Lambda developer guide, "Working with layers for Python Lambda functions"
# (the runtime includes boto3 and what it depends on) and the interface client itself.
RUNTIME_PACKAGES = frozenset(
    {
        *("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py"),
        *("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"),
    }
)
_MISSING = ("ImportError", "ModuleNotFoundError", "Exception")


def required_imports(source: str | bytes, *, in_functions: bool = True) -> dict[str, int]:
    """Return the modules, and names in modules, that `source` imports in any case: name → line.

    Relative names begin with their dots. An import that is guarded is left out: under a condition
    (`if TYPE_CHECKING`, `if sys.version_info`), or where its failure is handled (`try`,
    `suppress`). Without `in_functions` so are those that run when a function is called.
    Raises SyntaxError if the source does not parse.
    """
    found: dict[str, int] = {}
    for node in _unguarded(ast.parse(source).body, in_functions):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            module = "." * node.level + (node.module or "")
            names = [module, *(f"{module.rstrip('.')}.{alias.name}" for alias in node.names)]
        for name in names:
            found.setdefault(name, node.lineno)
    return found


def _unguarded(
    statements: Iterable[ast.AST], in_functions: bool
) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in statements:
        match node:
            case ast.Import() | ast.ImportFrom():
                yield node
            case ast.Try() | ast.TryStar():
                handled = any(_names_failure(handler.type) for handler in node.handlers)
                yield from _unguarded([] if handled else node.body, in_functions)
                yield from _unguarded([*node.orelse, *node.finalbody], in_functions)
            case ast.With() if not any(_names_failure(item.context_expr) for item in node.items):
                yield from _unguarded(node.body, in_functions)
            case ast.ClassDef():
                yield from _unguarded(node.body, in_functions)
            case ast.FunctionDef() | ast.AsyncFunctionDef() if in_functions:
                yield from _unguarded(node.body, in_functions)


def _names_failure(expression: ast.expr | None) -> bool:
    """Return whether what is caught, or suppressed, is a failed import; None catches everything."""
    return expression is None or any(name in ast.unparse(expression) for name in _MISSING)


def needs_from_layer(imported: Iterable[str]) -> set[str]:
    """Return those of the `imported` packages that only a layer can provide."""
    return set(imported) - sys.stdlib_module_names - RUNTIME_PACKAGES


def top_level(path: str) -> str:
    """Return the top-level package or module that the file at `path` (in `python/`) belongs to."""
    first, is_folder, _ = path.partition("/")
    return first if is_folder else first.partition(".")[0]
