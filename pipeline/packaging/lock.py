"""The layer's lock file: pip's requirements with hashes, uv.lock, or pylock.toml."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

from packaging.markers import default_environment
from packaging.pylock import Package, Pylock, PylockValidationError
from packaging.requirements import InvalidRequirement, Requirement

from pipeline.config import ROOT
from pipeline.errors import LayerError
from pipeline.packaging.own_packages import OwnPackage
from pipeline.packaging.lambda_platform import MACHINE

_UV_EXPORT = (
    *("-m", "uv", "export", "--quiet", "--frozen", "--no-default-groups", "--no-emit-project"),
    *("--no-header", "--no-annotate", "--format", "requirements.txt", "--python", sys.executable),
)
# A folder or a wheel of this repository, as pip and uv write it.
_PATH = re.compile(r"(?:-e |--editable[ =]|[\w.-]+ @ file:(?://)?)?(?P<path>[./][^;]*?)(?:\s*;.*)?")


class Lock:
    """What is locked for Lambda.

    `lines` are a requirements file for pip: releases with their hashes, and options such as an
    index. `own` are this repository's own packages. `text` is all that decides what is installed,
    apart from the content of `own`.
    """

    def __init__(self, path: Path) -> None:
        """Read the lock file; raise LayerError if it cannot be read, or is no lock."""
        self._name = path.relative_to(ROOT).as_posix()
        self.lines: list[str] = []
        self.own: list[OwnPackage] = []
        try:
            self.text = _requirements(path)
        except (OSError, ValueError, PylockValidationError) as error:
            raise self._error(
                f"cannot be read: {error}", "Write it again: `make lock`, or `uv lock`."
            ) from error
        base = ROOT if path.suffix == ".txt" else path.parent
        for line in re.sub(r"\\\r?\n", " ", self.text).splitlines():
            if stripped := re.sub(r"(^|\s)#.*", "", line).strip():
                self._add(stripped, base)

    def _add(self, line: str, base: Path) -> None:
        requirement, *hashes = re.split(r"\s+(?=--hash)", line)
        if match := _PATH.fullmatch(requirement):
            self.own.append(OwnPackage((base / match["path"]).resolve(), " ".join(hashes)))
        elif re.match(r"(-r|-c|--requirement|--constraint)\b", line):
            raise self._error(
                f"is no lock: it refers to another file ({line})",
                "Name a file that holds all releases, with hashes: `make lock` writes one.",
            )
        elif line.startswith("-"):
            self.lines.append(line)
        elif parsed := self._for_lambda(requirement):
            if not hashes:
                raise self._error(
                    f"has no hash for {requirement}",
                    "Write it with hashes (`make lock`). What comes from a repository cannot have "
                    "one: build a wheel, and name its path (docs/layer.md).",
                )
            self.lines.append(" ".join([str(parsed), *hashes]))

    def _for_lambda(self, text: str) -> Requirement | None:
        """Return the requirement without its marker; None if the marker excludes Lambda."""
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise self._error(f"holds {text!r}: {error}", "Correct it.") from error
        marker, requirement.marker = requirement.marker, None
        return requirement if marker is None or marker.evaluate(_environment()) else None

    def _error(self, what: str, hint: str) -> LayerError:
        return LayerError(f"{self._name} {what}", hint)


def _environment() -> Mapping[str, str | Set[str]]:
    """Return what markers are about on Lambda, whatever machine this is.

    Source: "Dependency specifiers" in the Python packaging user guide. The Python is this one's
    version, which is checked to be the deployed one.
    """
    here = {name: str(value) for name, value in default_environment().items()}
    return here | {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": MACHINE,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "sys_platform": "linux",
    }


def _requirements(path: Path) -> str:
    """Return the lock file in the form of pip's requirements."""
    if path.suffix == ".lock":
        command = [sys.executable, *_UV_EXPORT, "--project", str(path.parent)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise ValueError(f"`uv export` failed:\n{done.stderr.strip()}")
        return done.stdout
    text = path.read_bytes().decode()
    if path.suffix == ".toml":
        return "\n".join(_pylock_lines(Pylock.from_dict(tomllib.loads(text))))
    return text


def _pylock_lines(lock: Pylock) -> Iterator[str]:
    for package in lock.packages:
        if package.marker is None or package.marker.evaluate(_environment(), context="lock_file"):
            yield _pylock_line(package)


def _pylock_line(package: Package) -> str:
    if package.directory:
        return f"./{package.directory.path}"
    files = [*(package.wheels or ()), *([package.sdist] if package.sdist else ())]
    hashes = [f"--hash=sha256:{file.hashes['sha256']}" for file in files]
    return " ".join([f"{package.name}=={package.version}", *hashes])
