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
        return asdict(self) | {"sha256_base64": self.sha256_base64}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        package = cls(
            name=str(data["name"]),
            size_bytes=int(data["size_bytes"]),
            sha256=str(data["sha256"]),
            files=tuple(
                File(str(file["path"]), int(file["size_bytes"]), str(file["sha256"]))
                for file in data["files"]
            ),
        )
        if data["sha256_base64"] != package.sha256_base64:
            raise ValueError(f"sha256 and sha256_base64 of {package.name} differ")
        return package


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

    def to_text(self) -> str:
        """Return the text of manifest.json."""
        source = {
            "commit": self.commit,
            "layer_recipe_sha256": self.layer_recipe_sha256,
            "dependencies": self.dependencies,
            "own_files": self.own_files,
        }
        document = {"id": self.id, "content": self._content(), "source": source}
        return json.dumps(document, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read manifest.json.

        Raises ValueError (of which json's error is one) if it is no manifest, or if its id is
        not the sha256 of its content.
        """
        try:
            document = json.loads(text)
            content = document["content"]
            if content["schema"] != SCHEMA:
                raise ValueError(f"schema {content['schema']} is not {SCHEMA}")
            manifest = cls(
                function=Package.from_json(content["function"]),
                layer=Package.from_json(content["layer"]) if content["layer"] else None,
                layer_lock_sha256=content["layer_lock_sha256"],
                handler=str(content["handler"]),
                runtime=str(content["runtime"]),
                architecture=str(content["architecture"]),
                commit=document["source"]["commit"],
                layer_recipe_sha256=document["source"]["layer_recipe_sha256"],
                # Bundles that were stored before there were these names can still be restored.
                dependencies=dict(document["source"].get("dependencies", {})),
                own_files=tuple(map(str, document["source"].get("own_files", ()))),
            )
            if document["id"] != manifest.id:
                raise ValueError(f"id {document['id']} is not the sha256 of the content")
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"not a manifest: {type(error).__name__} {error}") from error
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
