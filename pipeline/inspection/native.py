"""Rules about native code: the runtime can load it, with the other files of the bundle.

Packages bring files along that they do not load on every machine: for other platforms and Pythons,
and extension modules for libraries that may be there or not. So a file that is for another platform
is a fault only where its package has none that fits, and an extension module that lacks a library
only where something imports it without a guard.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Set

from pipeline.bundle import imports
from pipeline.config import FUNCTION_PACKAGE
from pipeline.inspection import elf
from pipeline.inspection.code import Target
from pipeline.inspection.elf import SharedObject
from pipeline.inspection.rules import Finding, Rule
from pipeline.runtimes import MACHINES

# CPython's way to name an extension module for one version and platform ("EXT_SUFFIX"), and for
# all versions ("The Limited C API").
_TAGGED = re.compile(
    r".*\.(?P<python>cpython-[0-9a-z]+|pypy[0-9a-z]+-[0-9a-z]+)-(?P<platform>[^./]+)\.so"
)
_EXTENSION = re.compile(r"(?P<name>[^./]+)\.(?:cpython-[^./]+|abi3)\.so")
_SHARED_OBJECT = re.compile(r".*\.so(?:\.[0-9]+)*")
_WINDOWS = ".pyd"

# Where the runtime looks for libraries in any case: LD_LIBRARY_PATH in "Defined runtime environment
# variables", AWS Lambda developer guide.
_FUNCTION_ROOT, _LAYER_ROOT = "/var/task", "/opt"
_LIBRARY_FOLDERS = (_FUNCTION_ROOT, f"{_FUNCTION_ROOT}/lib", f"{_LAYER_ROOT}/lib")


def root(package: str) -> str:
    """Return the folder that a package is unpacked to."""
    return _FUNCTION_ROOT if package == FUNCTION_PACKAGE else _LAYER_ROOT


def is_native(path: str, start: bytes) -> bool:
    """Return whether a file is native code, by its `path` or by how its content starts."""
    by_name = bool(_SHARED_OBJECT.fullmatch(path)) or path.endswith(_WINDOWS)
    return by_name or start.startswith(elf.ELF_MARK)


def read(path: str, content: bytes) -> SharedObject | None:
    """Read the native code at `path`; return None if it is no code that the runtime loads.

    Raises ValueError if it is named as code, and damaged.
    """
    if path.endswith(_WINDOWS):
        return SharedObject(machine=None)
    try:
        return elf.read_shared_object(content)
    except ValueError:
        if _SHARED_OBJECT.fullmatch(path):
            raise
        return None


def check_platform(
    package: str, objects: Mapping[str, SharedObject], target: Target
) -> Iterator[Finding]:
    """Yield the findings about the files of a package (path: what it needs) that do not fit."""
    foreign = {path: _foreign(path, needs, target) for path, needs in objects.items()}
    have_one_that_fits = {_owner(path) for path, finding in foreign.items() if finding is None}
    for path, problem in foreign.items():
        if problem is None:
            if message := _glibc_too_new(objects[path], target):
                yield Finding(Rule.GLIBC_TOO_NEW, package, path, message)
        elif _owner(path) not in have_one_that_fits:
            yield Finding(problem[0], package, path, problem[1])


def missing_libraries(
    objects: Mapping[str, SharedObject], there: Set[str], target: Target
) -> dict[str, list[str]]:
    """Return the libraries that the loader would not find for each of `objects`, where any is.

    All paths are absolute, as the runtime has them; `there` are those of all files of the bundle.
    """
    provided = target.runtime.libraries if target.runtime else None
    if provided is None:
        return {}
    missing = {
        path: [
            name
            for name in needs.libraries
            if name not in provided
            and there.isdisjoint(f"{folder}/{name}" for folder in _search(path, needs))
        ]
        for path, needs in objects.items()
        if _foreign(path, needs, target) is None
    }
    return {path: names for path, names in missing.items() if names}


def extension_module(path: str) -> str | None:
    """Return the last part of the name by which an extension module at `path` is imported."""
    match = _EXTENSION.fullmatch(posixpath.basename(path))
    return match["name"] if match else None


def _search(path: str, needs: SharedObject) -> list[str]:
    """Return the folders where the loader looks for what the file at `path` needs.

    A file's own folder is among them: what is there, is loaded for the same reason (auditwheel).
    """
    own = posixpath.dirname(path)
    stated = [re.sub(r"\$ORIGIN|\$\{ORIGIN\}", own, folder) for folder in needs.search_path]
    return [*map(posixpath.normpath, stated), own, *_LIBRARY_FOLDERS]


def _owner(path: str) -> str:
    return imports.top_level(path.removeprefix("python/"))


def _foreign(path: str, needs: SharedObject, target: Target) -> tuple[Rule, str] | None:
    """Return why the file is for another platform than the function's, if it is."""
    if target.architecture not in MACHINES:
        return None
    machine, platform = MACHINES[target.architecture]
    if needs.machine != machine:
        message = f"it is not for {target.architecture}, on which the function runs"
        return Rule.WRONG_ARCHITECTURE, message
    tag = _TAGGED.fullmatch(path)
    if tag and tag["platform"] != platform:
        message = f"its name says {tag['platform']}, and Python looks for {platform} there"
        return Rule.WRONG_ARCHITECTURE, message
    if tag and target.runtime:
        python = "cpython-{}{}".format(*target.runtime.python)
        if tag["python"] != python:
            return Rule.WRONG_PYTHON, f"it is for {tag['python']}, not {python}"
    return None


def _glibc_too_new(needs: SharedObject, target: Target) -> str | None:
    if not target.runtime or needs.glibc is None or needs.glibc <= target.runtime.glibc:
        return None
    wanted, there = (".".join(map(str, version)) for version in (needs.glibc, target.runtime.glibc))
    return f"it needs glibc {wanted}, the runtime has {there}"
