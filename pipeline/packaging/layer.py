"""Make the layer's package from hash-locked wheels for the platform it is deployed to."""

from __future__ import annotations

import re
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Mapping, Set
from importlib.metadata import version
from pathlib import Path
from platform import python_version

from pipeline import console
from pipeline.bundle import bytecode, imports
from pipeline.packaging import pip, pymongo, zip_writer
from pipeline.bundle.manifest import sha256_hex
from pipeline.errors import LayerError
from pipeline.config import ARCHITECTURE, LAYER_LOCK, RUNTIME

# Lambda's python3.12 and later run on Amazon Linux 2023, which has glibc 2.34: AWS Lambda
# developer guide, "Lambda runtimes". Older manylinux wheels run there too (PEP 600).
_MACHINE = {"x86_64": "x86_64", "arm64": "aarch64"}[ARCHITECTURE]
_PLATFORMS = [
    f"{tag}_{_MACHINE}"
    for tag in ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
]

# Present in wheels, never read at run time.
_SOURCE_SUFFIXES = (".c", ".h", ".pyi", ".pyx", ".pxd", "/py.typed")
_TEST_FOLDERS = {"test", "tests", "__pycache__"}


def recipe_sha256(wanted: Set[str]) -> str:
    """Return the digest of everything the layer is made of and by: equal means nothing to redo."""
    modules = (zip_writer, pymongo, bytecode, imports)
    made_by = [Path(module.__file__ or "").read_bytes() for module in modules]
    compilers = (version("deflate"), python_version())
    parts = [
        LAYER_LOCK.read_bytes(),
        Path(__file__).read_bytes(),
        *made_by,
        " ".join([*compilers, RUNTIME, ARCHITECTURE, *sorted(wanted)]).encode(),
    ]
    return sha256_hex("".join(sha256_hex(part) for part in parts).encode())


def locked_versions() -> dict[str, str]:
    """Return the version of each dependency that is locked, by name."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", LAYER_LOCK.read_text("utf-8"), re.MULTILINE))


def build_layer(wanted: Set[str]) -> bytes:
    """Return the layer's zip: the locked packages that importing `wanted` can lead to.

    Raises LayerError if the locked wheels cannot be fetched, or do not match their hashes.
    """
    with tempfile.TemporaryDirectory() as folder:
        _download(Path(folder))
        files: dict[str, bytes] = {}
        for wheel in sorted(Path(folder).iterdir()):
            files |= _unpack(wheel)
    kept = imports.reachable(wanted, _import_graph(files))
    files = {path: data for path, data in files.items() if imports.top_level(path) in kept}
    files = pymongo.leave_out(_without_the_unimportable(files, kept))
    with console.step("compile") as bar:
        bar.update(0, f"{len(files)} files")
        return zip_writer.write_zip(
            bytecode.compile_sources({f"python/{path}": data for path, data in files.items()})
        )


def _download(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check"]
    command += pip.RAW
    command += ["--require-hashes", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    command += ["--implementation", "cp", "--python-version", RUNTIME.removeprefix("python")]
    for platform in _PLATFORMS:
        command += ["--platform", platform]
    command += ["--requirement", str(LAYER_LOCK)]
    with console.step("fetch") as bar:
        status, complaints = pip.run(command, bar)
    if status != 0:
        raise LayerError(
            f"pip could not fetch the layer's wheels:\n{complaints.strip()}",
            "Check the network and layer/requirements.txt (`make lock` writes it anew).",
        )


def _unpack(wheel: Path) -> dict[str, bytes]:
    """Return what of a wheel belongs on the import path: path → content."""
    files = {}
    with zipfile.ZipFile(wheel) as zip_file:
        for name in zip_file.namelist():
            path = _installed_path(name)
            if path and not _is_ballast(path):
                files[path] = zip_file.read(name)
    return files


def _import_graph(files: Mapping[str, bytes]) -> dict[str, set[str]]:
    """Return which top-level package imports which."""
    graph: dict[str, set[str]] = defaultdict(set)
    for path, content in files.items():
        imported = graph[imports.top_level(path)]
        if path.endswith(".py"):
            try:
                imported.update(imports.imported_packages(content))
            except SyntaxError as error:
                raise LayerError(
                    f"{path}, from one of the layer's wheels, does not compile: {error}",
                    "Lock a release of that package that is made for the deployed Python.",
                ) from error
    return graph


def _without_the_unimportable(files: Mapping[str, bytes], kept: Set[str]) -> dict[str, bytes]:
    """Leave out modules that no import of can succeed, for they begin with what is not there.

    They are for options that come with other packages: signatures, DNS over QUIC.
    """
    return {
        path: content
        for path, content in files.items()
        if not path.endswith(".py")
        or imports.needs_from_layer(imports.imported_first(content)) <= kept
    }


def _installed_path(name: str) -> str | None:
    """Return where under `python/` a wheel's entry is installed, or None if it is not.

    Source: the binary distribution format, "The .data directory".
    """
    first, _, rest = name.partition("/")
    if not first.endswith(".data"):
        return name
    kind, _, path = rest.partition("/")
    return path if kind in ("purelib", "platlib") else None


def _is_ballast(path: str) -> bool:
    folders = path.split("/")[:-1]
    return (
        path.endswith("/")
        or path.endswith(_SOURCE_SUFFIXES)
        or bool(_TEST_FOLDERS & set(folders))
        or any(folder.endswith(".dist-info") for folder in folders)
    )
