"""Packages of this repository in the layer: folders, of which pip builds a wheel, and wheels."""

from __future__ import annotations

import re
import shutil
import tempfile
import tomllib
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import parse_wheel_filename

from pipeline.bundle.manifest import sha256_hex
from pipeline.config import ROOT
from pipeline.errors import LayerError
from pipeline.packaging import pip

# What tools leave next to a package's source.
_LEFTOVER = re.compile(
    r"(.*/)?(\..*|__pycache__/.*|build/.*|dist/.*|[^/]*\.egg-info/.*|[^/]*\.pyc)"
)


class OwnPackage(NamedTuple):
    """Where a package of this repository is: a folder, or a wheel with the hashes of the lock."""

    place: Path
    hashes: str

    def files(self) -> list[Path]:
        """Return the files that it is made of; raise LayerError if it is not there."""
        if self.place.is_file():
            return [self.place]
        paths = [path for path in self.place.rglob("*") if path.is_file()]
        found = [path for path in paths if not _LEFTOVER.fullmatch(self._within(path))]
        if not found:
            raise self._error("is not there", "Correct its path, and lock again (`make lock`).")
        return sorted(found)

    def requirement(self, wheels: Path) -> str:
        """Put the package's wheel into the folder `wheels`; return the requirement for it.

        Raises LayerError if the wheel cannot be built, or could be another one tomorrow.
        """
        if self.place.is_file():
            wheel = Path(shutil.copy(self.place, wheels))
        else:
            wheel = self._built(wheels)
        name, release, _, _ = parse_wheel_filename(wheel.name)
        hashes = self.hashes or f"--hash=sha256:{sha256_hex(wheel.read_bytes())}"
        return f"{name}=={release} {hashes}"

    def _built(self, wheels: Path) -> Path:
        self._check_build()
        before = set(wheels.iterdir())
        # A copy: building leaves files there.
        with tempfile.TemporaryDirectory() as folder:
            for file in self.files():
                copy = Path(folder, self.place.name, self._within(file))
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, copy)
            pip.build_wheel(Path(folder, self.place.name), wheels)
        [wheel] = set(wheels.iterdir()) - before
        return wheel

    def _check_build(self) -> None:
        """Raise LayerError unless pyproject.toml pins what builds it: wheels name their builder."""
        try:
            project = tomllib.loads((self.place / "pyproject.toml").read_text("utf-8"))
            requires = [Requirement(tool) for tool in project["build-system"]["requires"]]
        except (OSError, ValueError, KeyError, TypeError, InvalidRequirement) as error:
            raise self._error(
                f"cannot be built: pyproject.toml has no usable [build-system] ({error!r})",
                "Add one (docs/layer.md), or let the function's zip hold the folder: `files` in "
                "function.toml.",
            ) from error
        for tool in requires:
            if not any(specifier.operator == "==" for specifier in tool.specifier):
                raise self._error(
                    f"is built with any release of {tool.name}: its wheel could differ tomorrow",
                    f'Pin it in pyproject.toml: [build-system] requires = ["{tool.name}==…"].',
                )

    def _within(self, path: Path) -> str:
        return path.relative_to(self.place).as_posix()

    def _error(self, what: str, hint: str) -> LayerError:
        return LayerError(f"{self.place.relative_to(ROOT, walk_up=True)} {what}", hint)
