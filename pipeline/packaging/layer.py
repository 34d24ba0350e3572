"""The layer: what pip installs for Lambda from the lock file, as a zip."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import distributions, version
from pathlib import Path
from platform import python_version

from packaging.utils import canonicalize_name

from pipeline import progress
from pipeline.bundle import bytecode
from pipeline.bundle.manifest import sha256_hex
from pipeline.config import ARCHITECTURE, FUNCTION, ROOT, RUNTIME
from pipeline.errors import LayerError
from pipeline.packaging import pip, trimming, zip_writer
from pipeline.packaging.lock import Lock
from pipeline.runtimes import MAX_UNZIPPED_BYTES

_OPTIONS = FUNCTION["layer"]


@dataclass(frozen=True)
class Layer:
    """A layer's zip, the packages in it (name → version), and which of its files are made from
    packages of this repository. `left_out` says in words what function.toml leaves out of it."""

    archive: bytes
    dependencies: Mapping[str, str]
    own_files: tuple[str, ...]
    left_out: str = ""


def recipe_sha256(lock: Lock, function: Mapping[str, bytes]) -> str:
    """Return the digest of everything that decides the layer's bytes: equal ones, equal bytes.

    `function` are the files of the function's zip: what they import must not be left out. Raises
    LayerError if they use a stub.
    """
    trimming.check_use(_OPTIONS["stubs"], function)
    files = [*Path(__file__).parent.glob("*.py"), *Path(bytecode.__file__).parent.glob("*.py")]
    files += [ROOT / stub for stub in _OPTIONS["stubs"].values()]
    files += [file for package in lock.own for file in package.files()]
    made_of = {
        str(file.relative_to(ROOT, walk_up=True)): sha256_hex(file.read_bytes()) for file in files
    }
    names = sorted(trimming.imported(function)) if _OPTIONS["exclude"] else []
    tools = (RUNTIME, ARCHITECTURE, python_version(), version("deflate"), version("pip"))
    recipe = json.dumps([lock.text, _OPTIONS, names, tools, made_of], sort_keys=True)
    return sha256_hex(recipe.encode())


def build_layer(lock: Lock, function: Mapping[str, bytes]) -> Layer:
    """Install the locked packages for Lambda, apply the options of function.toml, and zip it.

    Raises LayerError if pip cannot install them, or if an option would do harm.
    """
    with tempfile.TemporaryDirectory() as folder:
        target, wheels = Path(folder, "python"), Path(folder, "wheels")
        wheels.mkdir()
        own = [package.requirement(wheels) for package in lock.own]
        # A wheel that is too large zipped is refused before it is downloaded.
        limit = None if _OPTIONS["exclude"] else MAX_UNZIPPED_BYTES
        pip.install([*lock.lines, *own], wheels, target, limit)
        installed = {
            path.relative_to(target).as_posix(): path
            for path in target.rglob("*")
            if path.is_file()
        }
        kept = trimming.trim(installed, _OPTIONS["exclude"], _OPTIONS["stubs"], function)
        _check_size(kept)
        own_names = {line.partition("=")[0] for line in own}
        dependencies: dict[str, str] = {}
        own_files: set[str] = set()
        for package in distributions(path=[str(target)]):
            name = canonicalize_name(package.name)
            if paths := {str(path) for path in package.files or ()} & kept.keys():
                dependencies[name] = package.version
                own_files |= paths if name in own_names else set()
        contents = {f"python/{path}": file.read_bytes() for path, file in kept.items()}
        executable = {
            f"python/{path}" for path, file in kept.items() if file.stat().st_mode & 0o100
        }
    if _OPTIONS["bytecode_only"]:
        with progress.step("compile") as bar:
            bar.update(0, f"{len(contents)} files")
            contents = bytecode.compile_sources(contents)
        own_files = {f"{path}c" if path.endswith(".py") else path for path in own_files}
    with progress.step("zip", sum(map(len, contents.values()))) as bar:
        archive = zip_writer.write_zip(contents, executable, bar.update)
    own_paths = tuple(sorted(f"python/{path}" for path in own_files))
    return Layer(archive, dependencies, own_paths, _left_out(len(installed), len(kept)))


def _check_size(kept: trimming.Files) -> None:
    """Raise LayerError if the layer alone is too large for Lambda, before it is zipped."""
    sizes = Counter[str]()
    for path, file in kept.items():
        if not (_OPTIONS["bytecode_only"] and path.endswith(".py")):
            sizes[path.partition("/")[0]] += file.stat().st_size
    if sizes.total() > MAX_UNZIPPED_BYTES:
        largest = ", ".join(f"{name} {size:,}" for name, size in sizes.most_common(5))
        raise LayerError(
            f"the layer unzips to {sizes.total():,} bytes ({largest}, ...), and AWS accepts "
            f"{MAX_UNZIPPED_BYTES:,} for layer and function together",
            pip.TOO_LARGE,
        )


def _left_out(installed: int, kept: int) -> str:
    parts = [f"{installed - kept} of {installed} files"] if kept < installed else []
    parts += [f"{path}, for a stub" for path in _OPTIONS["stubs"]]
    parts += ["Python source, for bytecode"] if _OPTIONS["bytecode_only"] else []
    return "; ".join(parts)
