"""The bundle: the packages and the manifest that names every file in them."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from pipeline.errors import BundleError
from pipeline.config import FUNCTION_PACKAGE, LAYER_PACKAGE, MANIFEST

SCHEMA = 1


def sha256_hex(content: bytes) -> str:
    """Return the sha256 of `content` as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class File:
    """One file in a package."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Package:
    """One zip: its own digest and every file in it, sorted by path."""

    name: str
    size_bytes: int
    sha256: str
    files: tuple[File, ...]

    @classmethod
    def of(cls, name: str, archive: bytes) -> Self:
        """Describe the zip whose bytes are `archive`."""
        with zipfile.ZipFile(io.BytesIO(archive)) as zip_file:
            contents = {info.filename: zip_file.read(info) for info in zip_file.infolist()}
        files = tuple(
            File(path, len(content), sha256_hex(content))
            for path, content in sorted(contents.items())
        )
        return cls(name, len(archive), sha256_hex(archive), files)

    @property
    def sha256_base64(self) -> str:
        """The digest as AWS's CodeSha256 and Terraform's source_code_hash write it."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()

    @property
    def unzipped_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    def as_json(self) -> dict[str, Any]:
        files = [asdict(file) for file in self.files]
        return asdict(self) | {"files": files, "sha256_base64": self.sha256_base64}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        files = tuple(
            File(str(file["path"]), int(file["size_bytes"]), str(file["sha256"]))
            for file in data["files"]
        )
        return cls(str(data["name"]), int(data["size_bytes"]), str(data["sha256"]), files)


@dataclass(frozen=True)
class Manifest:
    """What a bundle holds and what it is meant for.

    `commit`, `layer_recipe_sha256`, `dependencies` (the layer's packages: name → version) and
    `own_files` (paths of the layer that are made from folders of this repository) say what it was
    built from. They are no part of the id: the same content built from another commit is the same
    bundle. What is about the layer is None if there is none.
    """

    function: Package
    layer: Package | None
    layer_lock_sha256: str | None
    handler: str
    runtime: str
    architecture: str
    commit: str | None
    layer_recipe_sha256: str | None
    dependencies: Mapping[str, str]
    own_files: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The sha256 of the manifest's content, written canonically."""
        return sha256_hex(json.dumps(self._content(), **_CANONICAL).encode())

    def packages(self) -> tuple[Package, ...]:
        return (self.function, self.layer) if self.layer else (self.function,)

    def _content(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "function": self.function.as_json(),
            "layer": self.layer.as_json() if self.layer else None,
            "layer_lock_sha256": self.layer_lock_sha256,
            "handler": self.handler,
            "runtime": self.runtime,
            "architecture": self.architecture,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the document that manifest.json holds."""
        source = {
            "commit": self.commit,
            "layer_recipe_sha256": self.layer_recipe_sha256,
            "dependencies": self.dependencies,
            "own_files": list(self.own_files),
        }
        return {"id": self.id, "content": self._content(), "source": source}

    def to_text(self) -> str:
        """Return the text of manifest.json."""
        return json.dumps(self.to_json(), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Read the document of manifest.json, whatever its id and derived digests are.

        Raises ValueError if it is no manifest.
        """
        try:
            content, source = document["content"], document["source"]
            return cls(
                function=Package.from_json(content["function"]),
                layer=None if content["layer"] is None else Package.from_json(content["layer"]),
                layer_lock_sha256=content["layer_lock_sha256"],
                handler=str(content["handler"]),
                runtime=str(content["runtime"]),
                architecture=str(content["architecture"]),
                commit=source["commit"],
                layer_recipe_sha256=source["layer_recipe_sha256"],
                # Bundles that were stored before these names existed can still be restored.
                dependencies={
                    name: str(release) for name, release in source.get("dependencies", {}).items()
                },
                own_files=tuple(map(str, source.get("own_files", ()))),
            )
        except (KeyError, TypeError, AttributeError, ArithmeticError) as error:
            raise ValueError(f"not a manifest: {type(error).__name__} {error}") from error

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read manifest.json.

        Raises ValueError (of which json's error is one) if it is no manifest, or if its id or the
        digest of a package is not that of its content.
        """
        try:
            document = json.loads(text)
        except RecursionError as error:
            raise ValueError("not a manifest: it is nested too deeply") from error
        manifest = cls.from_json(document)
        if document["content"] != manifest._content():
            raise ValueError("its content is not of the form that build writes")
        if document["id"] != manifest.id:
            raise ValueError(f"id {document['id']} is not the sha256 of the content")
        return manifest


_CANONICAL: dict[str, Any] = {"sort_keys": True, "separators": (",", ":")}


@dataclass(frozen=True)
class Bundle:
    """A manifest and the bytes of its packages; `layer_zip` is None if there is no layer."""

    manifest: Manifest
    function_zip: bytes
    layer_zip: bytes | None

    @property
    def id(self) -> str:
        return self.manifest.id

    def zips(self) -> list[tuple[Package, bytes]]:
        both = ((self.manifest.function, self.function_zip), (self.manifest.layer, self.layer_zip))
        return [(package, archive) for package, archive in both if package and archive is not None]

    def verify(self) -> Self:
        """Return the bundle if its packages are the manifest's, else raise BundleError."""
        for package, archive in self.zips():
            if sha256_hex(archive) != package.sha256:
                raise BundleError(
                    f"{package.name} of bundle {self.id[:12]} has sha256 {sha256_hex(archive)}, "
                    f"but its manifest has {package.sha256}",
                    "Build the bundle again; do not deploy this one.",
                )
        return self

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read and verify the bundle in `folder`; raise BundleError if it is not a whole one."""
        try:
            manifest = Manifest.from_text((folder / MANIFEST).read_text("utf-8"))
            bundle = cls(
                manifest,
                (folder / FUNCTION_PACKAGE).read_bytes(),
                (folder / LAYER_PACKAGE).read_bytes() if manifest.layer else None,
            )
        except (OSError, ValueError) as error:
            raise BundleError(
                f"{folder} has no usable bundle: {error}",
                "Build a bundle, or use another folder.",
                command=f"python -m pipeline build --out {folder}",
            ) from error
        return bundle.verify()

    def write(self, folder: Path) -> None:
        """Write the bundle's files, each one whole or not at all, the manifest last."""
        folder.mkdir(parents=True, exist_ok=True)
        contents = {package.name: archive for package, archive in self.zips()}
        for name, content in (contents | {MANIFEST: self.manifest.to_text().encode()}).items():
            unfinished = folder / f".{name}.{os.getpid()}"
            unfinished.write_bytes(content)
            unfinished.replace(folder / name)
