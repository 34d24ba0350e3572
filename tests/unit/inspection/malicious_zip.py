"""Bundles made wrong on purpose: a zip writer that can lie, and a bundle to break with it."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.bundle.bytecode import compile_sources
from pipeline.config import FUNCTION_PACKAGE, LAYER_PACKAGE, MANIFEST

UTF8, ENCRYPTED, DESCRIPTOR = 1 << 11, 1, 1 << 3
STORED, DEFLATED, BZIP2 = 0, 8, 12
HANDLER = "lambda_function.py"

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")


@dataclass
class Item:
    """One entry. None stands for the true value; anything else is what the zip claims."""

    path: str | bytes
    content: bytes = b""
    method: int = DEFLATED
    mode: int = 0o100644
    made_by: int = 3
    flags: int = UTF8
    dos_date: int = 1 << 5 | 1
    dos_time: int = 0
    extra: bytes = b""
    local_extra: bytes = b""
    crc: int | None = None
    size_bytes: int | None = None
    packed: bytes | None = None
    local_path: bytes | None = None
    local_crc: int | None = None
    local_size_bytes: int | None = None
    before: bytes = b""

    @property
    def name(self) -> bytes:
        return self.path if isinstance(self.path, bytes) else self.path.encode()

    @property
    def listed_path(self) -> str:
        """The path as the manifest has it: as whoever reads the zip is meant to decode it."""
        encoding = "utf-8" if self.flags & UTF8 else "ascii"
        return self.name.decode(encoding, "backslashreplace")

    def packed_content(self) -> bytes:
        if self.packed is not None:
            return self.packed
        if self.method != DEFLATED:
            return self.content
        deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
        return deflater.compress(self.content) + deflater.flush()

    def local_record(self) -> bytes:
        """The header and content as they lie in the zip."""
        packed, name = self.packed_content(), (
            self.name if self.local_path is None else self.local_path
        )
        crc, size = self._crc(), self._size()
        sizes = (
            crc if self.local_crc is None else self.local_crc,
            len(packed),
            size if self.local_size_bytes is None else self.local_size_bytes,
        )
        stated, after = sizes, b""
        if self.flags & DESCRIPTOR:
            stated, after = (0, 0, 0), b"PK\x07\x08" + struct.pack("<3I", *sizes)
        header = _LOCAL.pack(
            *(b"PK\x03\x04", 20, self.flags, self.method, self.dos_time, self.dos_date),
            *(*stated, len(name), len(self.local_extra)),
        )
        return header + name + self.local_extra + packed + after

    def central_record(self, at: int) -> bytes:
        """The description in the zip's directory, for a header at `at`."""
        header = _CENTRAL.pack(
            *(b"PK\x01\x02", self.made_by << 8 | 20, 20, self.flags, self.method),
            *(self.dos_time, self.dos_date, self._crc(), len(self.packed_content()), self._size()),
            *(len(self.name), len(self.extra), 0, 0, 0, self.mode << 16, at),
        )
        return header + self.name + self.extra

    def _crc(self) -> int:
        return zlib.crc32(self.content) if self.crc is None else self.crc

    def _size(self) -> int:
        return len(self.content) if self.size_bytes is None else self.size_bytes


def compiled(source: bytes) -> bytes:
    """Return the bytecode of Python source, as it is in a layer."""
    return compile_sources({"python/module.py": source})["python/module.pyc"]


def write_zip(items: Iterable[Item]) -> bytes:
    """Return a zip of the items as they are, in their order."""
    body, directory, count = b"", b"", 0
    for item in items:
        body += item.before
        directory += item.central_record(len(body))
        body += item.local_record()
        count += 1
    end = END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + end


def write_overlapping_zip(items: list[Item], outer: Item, inner: Item) -> bytes:
    """Return a zip of the items, of `outer`, and of `inner`, which lies within outer's content."""
    assert outer.method == STORED and outer.content == inner.local_record()
    body = b"".join(item.local_record() for item in (*items, outer))
    directory, at = b"", 0
    for item in (*items, outer):
        directory += item.central_record(at)
        at += len(item.local_record())
    directory += inner.central_record(at - len(outer.content))
    count = len(items) + 2
    end = END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + end


@dataclass
class Draft:
    """A bundle to be written: sound as it is, and open to every change.

    `function_zip` and `layer_zip` replace what would be zipped; `manifest_text` replaces the
    manifest; `lies` are changes of its content that are made after its digests are.
    """

    function: list[Item]
    layer: list[Item]
    values: dict[str, Any] = field(default_factory=dict)
    function_zip: bytes | None = None
    layer_zip: bytes | None = None
    manifest_text: bytes | None = None
    missing: set[str] = field(default_factory=set)

    def item(self, path: str) -> Item:
        """Return the entry at `path`, of either package."""
        return next(item for item in (*self.function, *self.layer) if item.path == path)

    def leave_the_layer_out(self) -> None:
        """Make it a bundle that has none."""
        self.values |= {"layer": None, "layer_lock_sha256": None}
        self.missing.add(LAYER_PACKAGE)

    def zips(self) -> dict[str, bytes]:
        return {
            FUNCTION_PACKAGE: (
                write_zip(self.function) if self.function_zip is None else self.function_zip
            ),
            LAYER_PACKAGE: write_zip(self.layer) if self.layer_zip is None else self.layer_zip,
        }

    def content(self) -> dict[str, Any]:
        """Return what a truthful manifest says of the bundle."""
        zips = self.zips()
        return {
            "schema": 1,
            "function": _package(FUNCTION_PACKAGE, zips[FUNCTION_PACKAGE], self.function),
            "layer": _package(LAYER_PACKAGE, zips[LAYER_PACKAGE], self.layer),
            "layer_lock_sha256": "0" * 64,
            "handler": "lambda_function.lambda_handler",
            "runtime": "python3.13",
            "architecture": "x86_64",
            **self.values,
        }

    def write(self, folder: Path) -> Path:
        """Write the bundle into `folder`, and return that."""
        folder.mkdir(exist_ok=True)
        text = self.manifest_text or manifest_text(self.content())
        for name, data in {**self.zips(), MANIFEST: text}.items():
            if name not in self.missing:
                (folder / name).write_bytes(data)
        return folder


def manifest_text(content: dict[str, Any], bundle_id: str | None = None) -> bytes:
    """Return a manifest with that content, and its true id if none is given."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    recipe = "0" * 64 if content["layer"] else None
    document = {
        "id": bundle_id or hashlib.sha256(canonical).hexdigest(),
        "content": content,
        "source": {"commit": None, "layer_recipe_sha256": recipe, "dependencies": {}},
    }
    return json.dumps(document).encode()


def sound() -> Draft:
    """Return a small bundle that has nothing wrong with it."""
    handler = (
        b"import pymongo\n\n\ndef lambda_handler(event, context):\n    return pymongo.version\n"
    )
    return Draft(
        function=[Item(HANDLER, handler)],
        layer=[
            Item("python/bson/__init__.py", b"import struct\n"),
            Item("python/pymongo/__init__.py", b"import bson\nversion = '4'\n"),
        ],
    )


def _package(name: str, archive: bytes, items: list[Item]) -> dict[str, Any]:
    digest = hashlib.sha256(archive)
    files = {item.listed_path: item for item in items if not item.listed_path.endswith("/")}
    return {
        "name": name,
        "size_bytes": len(archive),
        "sha256": digest.hexdigest(),
        "sha256_base64": base64.b64encode(digest.digest()).decode(),
        "files": [
            {
                "path": path,
                "size_bytes": len(item.content),
                "sha256": hashlib.sha256(item.content).hexdigest(),
            }
            for path, item in sorted(files.items())
        ],
    }
