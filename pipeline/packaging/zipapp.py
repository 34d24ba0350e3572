"""The pipeline as one file: its modules, what it imports, function.toml and Terraform's files.

Python's own command starts such a file (`python3 pipeline.pyz rollback …`), without a checkout and
without the package index: "zipapp" in the Python documentation. A rollback on GitHub does so, with
the Python that the runner has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from pipeline.aws import CALLED
from pipeline.config import BOOTSTRAP_DIR, FUNCTION_FILE, ROOT, TERRAFORM_DIR
from pipeline.errors import UsageError
from pipeline.packaging import zip_writer

_LOCK = ROOT / "pipeline" / "requirements.txt"
_PINNED = re.compile(r"^([a-z0-9.-]+)==([^\s;]+)", re.MULTILINE)
_OF_TERRAFORM = {".hcl", ".tf", ".tfvars", ".toml"}
# What an installer adds to a wheel's own files: it differs between installers.
_INSTALLERS = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json"}
_ONLY_FOR_BUILD = {"pip"}
# The AWS SDK has descriptions of all services, 15 MB of them.
_OF_A_SERVICE = re.compile(r"(?:botocore|boto3)/data/([^/]+)/")

# Python imports from the file itself. What reads its data from files is unpacked: the SDK, the
# pipeline and Terraform. What Terraform still does when this process is killed, it does in that
# folder: then it stays.
_START = b"""\
import runpy
import sys
import tempfile
import zipfile

if sys.version_info < (3, 12):
    sys.exit("This needs Python 3.12 or newer, and is started by " + sys.version)
with tempfile.TemporaryDirectory(prefix="pipeline-") as folder:
    with zipfile.ZipFile(__loader__.archive) as archive:
        first = ("boto3/", "botocore/", "function.toml", "pipeline/", "terraform/")
        names = [name for name in archive.namelist() if name.startswith(first)]
        archive.extractall(folder, names)
    sys.path.insert(0, folder)
    runpy.run_module("pipeline", run_name="__main__")
"""


def make() -> bytes:
    """Return this pipeline as one file, which the same tree and lock file give on every machine.

    The dependencies are those that are installed here. Raises UsageError if they are not the ones
    that the lock file names. What only `build` needs is left out: pip, and what has compiled
    modules.
    """
    return zip_writer.write_zip({"__main__.py": _START, **dict(_own()), **dict(_dependencies())})


def _own() -> Iterator[tuple[str, bytes]]:
    """Yield the files of the tree that is deployed: path → content."""
    files = [FUNCTION_FILE]
    files += [
        path
        for path in (ROOT / "pipeline").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    files += [
        path
        for path in TERRAFORM_DIR.rglob("*")
        if path.suffix in _OF_TERRAFORM
        and BOOTSTRAP_DIR not in path.parents
        and not {".terraform", "tests"} & set(path.relative_to(TERRAFORM_DIR).parts)
    ]
    for path in files:
        yield path.relative_to(ROOT).as_posix(), path.read_bytes()


def _dependencies() -> Iterator[tuple[str, bytes]]:
    """Yield the installed files of every distribution that the lock file names."""
    for name, version in _PINNED.findall(_LOCK.read_text("utf-8")):
        if name in _ONLY_FOR_BUILD:
            continue
        found = _installed(name, version)
        if "Root-Is-Purelib: true" not in (found.read_text("WHEEL") or ""):
            continue
        for file in found.files or ():
            service = _OF_A_SERVICE.match(file.as_posix())
            if (
                ".." in file.parts
                or file.suffix == ".pyc"
                or file.name in _INSTALLERS
                or (service and service[1] not in CALLED)
            ):
                continue
            yield file.as_posix(), file.read_binary()


def _installed(name: str, version: str) -> Distribution:
    hint = f"python -m pip install --require-hashes --requirement {_LOCK.relative_to(ROOT)}"
    try:
        found = distribution(name)
    except PackageNotFoundError as error:
        raise UsageError(f"{name} is not installed", hint) from error
    if found.version != version:
        raise UsageError(f"{name} {found.version} is installed, but {version} is locked", hint)
    return found
