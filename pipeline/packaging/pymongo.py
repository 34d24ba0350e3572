"""pymongo's asynchronous half, which a handler that is called synchronously never uses.

`import pymongo` imports all of it for one name, AsyncMongoClient: a sixth of what that costs, and
of the layer's size. So it is left out, and a stand-in has the name. All the rest of pymongo is as
it was released, and still finds what it shares with that half.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

_HALF = "pymongo/asynchronous/"
_SHARED = {f"{_HALF}__init__.py", f"{_HALF}helpers.py"}
_CLIENT = f"{_HALF}mongo_client.py"
_STAND_IN = b'''"""Not in this layer: pipeline/packaging/pymongo.py says why."""


class AsyncMongoClient:
    def __init__(self, *args, **kwargs):
        raise NotImplementedError("this layer is without pymongo's asynchronous half")
'''


def leave_out(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return a layer's files (path under `python/`: content) without that half.

    All of it stays if something imports more of it than is known here: another package that is
    asynchronous too, or a release of pymongo that is divided in another way.
    """
    half = {path for path in files if path.startswith(_HALF)} - _SHARED
    rest = {path: content for path, content in files.items() if path not in half}
    if _CLIENT not in half or any(_needs_it(path, content) for path, content in rest.items()):
        return dict(files)
    return rest | {_CLIENT: _STAND_IN}


def _needs_it(path: str, content: bytes) -> bool:
    """Say whether a module imports of that half what is left out."""
    if not path.endswith(".py") or b"pymongo.asynchronous" not in content:
        return False
    # The functions of what is shared belong to that half.
    for module, name in _imported(ast.parse(content), within_functions=path not in _SHARED):
        place = module.replace(".", "/")
        stays = f"{place}.py" in _SHARED or f"{place}/__init__.py" in _SHARED
        stands_in = (f"{place}.py", name) == (_CLIENT, "AsyncMongoClient")
        if f"{place}/".startswith(_HALF) and not stays and not stands_in:
            return True
    return False


def _imported(tree: ast.AST, within_functions: bool) -> Iterator[tuple[str, str]]:
    """Yield each module that is imported at run time, with what is imported of it."""
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo += node.orelse
        elif within_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            todo += ast.iter_child_nodes(node)
