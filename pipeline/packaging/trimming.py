"""What function.toml leaves out of the layer; each option is checked to do no harm."""

from __future__ import annotations

import ast
import re
import symtable
from collections.abc import Iterator, Mapping
from importlib.util import resolve_name
from itertools import accumulate
from pathlib import Path, PurePosixPath

from pipeline.bundle.imports import required_imports
from pipeline.config import FUNCTION_FILE, ROOT
from pipeline.errors import LayerError

type Files = dict[str, Path]  # path on the import path → where its content is


def trim(
    installed: Files, exclude: list[str], stubs: Mapping[str, str], function: Mapping[str, bytes]
) -> Files:
    """Return the layer's files without the excluded ones, and with stubs in place of modules.

    `stubs` maps a path to a file of the repository, `function` is the function's zip. Raises
    LayerError if an option names nothing, or leaves out what the function or the rest imports.
    """
    excluded: set[str] = set()
    for pattern in exclude:
        found = {path for path in installed if PurePosixPath(path).full_match(pattern)}
        if not found:
            raise _wrong(f"exclude: {pattern} matches no file of the layer", "Correct it.")
        excluded |= found
    if unknown := stubs.keys() - installed.keys():
        raise _wrong(f"stubs: {min(unknown)} is not a file of the layer", "Correct it.")
    kept = {path: file for path, file in installed.items() if path not in excluded}
    kept |= {path: ROOT / file for path, file in stubs.items()}
    sources = {path: file.read_bytes() for path, file in kept.items() if path.endswith(".py")}
    left_out = {_module(path): path for path in excluded - kept.keys() if _is_module(path)}
    for path, source in function.items():
        _check(path, source, left_out, own=True)
    for path, source in sources.items():
        _check(path, source, left_out, own=False)
    return kept


def check_use(stubs: Mapping[str, str], function: Mapping[str, bytes]) -> None:
    """Raise LayerError if the function uses a name that only a stub defines."""
    names = {name: path for path, file in stubs.items() for name in _defined(_text(file))}
    for path, source in function.items():
        for name, line in _identifiers(source) if path.endswith(".py") and names else ():
            if name in names:
                raise _wrong(
                    f"stubs: {path}:{line} uses {name}, and {names[name]} is a stub",
                    "Remove the entry from `stubs` (and from `exclude`), or do not use the name.",
                )


def imported(function: Mapping[str, bytes]) -> set[str]:
    """Return the names that the function's files import."""
    sources = (source for path, source in function.items() if path.endswith(".py"))
    return {name for source in sources for name in required_imports(source)}


def _check(path: str, source: bytes, left_out: Mapping[str, str], *, own: bool) -> None:
    """Raise LayerError if Python source imports what is left out.

    An import within a function of the layer counts if the module comes from another folder: what
    is left out of a package is mostly what its own functions import late.
    """
    parts = {name.rpartition(".")[2] for name in left_out}
    if not path.endswith(".py") or not parts & set(re.findall(r"\w+", source.decode("latin-1"))):
        return
    try:
        early = required_imports(source, in_functions=False)
        imported = required_imports(source)
    except (SyntaxError, ValueError):
        return  # nothing can import it
    for name, line in imported.items():
        late = name not in early and not own
        for found in filter(None, map(left_out.get, _with_packages(_absolute(name, path)))):
            if not (late and PurePosixPath(found).parent == PurePosixPath(path).parent):
                raise _wrong(
                    f"exclude: {path}:{line} imports {_module(found)}, which is left out ({found})",
                    "Narrow the pattern that matches it.",
                )


def _with_packages(name: str) -> list[str]:
    """Return a module and the packages that importing it imports: a, a.b, a.b.c."""
    return list(accumulate(name.split("."), "{}.{}".format))


def _absolute(name: str, path: str) -> str:
    """Return the whole name of what the module at `path` imports as `name`."""
    package = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    if not path.endswith("/__init__.py"):
        package = package.rpartition(".")[0]
    try:
        return resolve_name(name, package)
    except ImportError:
        return name  # beyond the top-level package: Python refuses it, too


def _is_module(path: str) -> bool:
    return path.endswith((".py", ".so"))


def _module(path: str) -> str:
    """Return the name of the module at a path: a/b.cpython-313-x86_64-linux-gnu.so is a.b."""
    folder, _, file = path.rpartition("/")
    return (
        f"{folder}/{file.partition('.')[0]}".strip("/").removesuffix("/__init__").replace("/", ".")
    )


def _defined(text: str) -> set[str]:
    """Return the names that Python source defines at its top level."""
    symbols = symtable.symtable(text, "stub", "exec").get_symbols()
    return {symbol.get_name() for symbol in symbols if symbol.is_assigned()}


def _text(file: str) -> str:
    try:
        return (ROOT / file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(f"stubs: {file} cannot be read: {error}", "Correct it.") from error


def _identifiers(source: bytes) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                yield name, node.lineno


def _wrong(what: str, hint: str) -> LayerError:
    return LayerError(f"{FUNCTION_FILE.name}: layer.{what}", hint)
