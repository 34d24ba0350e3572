"""Native code in the layer must fit the machine, Python and glibc of the runtime."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config import LAYER_PACKAGE
from pipeline.inspection.rules import Rule
from tests.unit.inspection.breaking import found
from tests.unit.inspection.hostile import (
    STORED,
    Item,
    sound,
)


@pytest.fixture(scope="session")
def shared_object(built_bundle: Path) -> bytes:
    """An extension module of the real layer."""
    with zipfile.ZipFile(built_bundle / LAYER_PACKAGE) as layer:
        name = next(name for name in layer.namelist() if name.endswith(".so"))
        return layer.read(name)


def _for_arm(elf: bytes) -> bytes:
    return elf[:18] + struct.pack("<H", 183) + elf[20:]


def _for_i386(_: bytes) -> bytes:
    """Return the header of a shared object that has nothing in it."""
    identity = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    return identity + struct.pack("<2H5I6H", 3, 3, 1, 0, 0, 0, 0, 52, 32, 0, 40, 0, 0)


def _cut_off_without_sections(elf: bytes) -> bytes:
    """Return the start of a file without a table of sections, which loading does not need."""
    header = bytearray(elf[: len(elf) // 10])
    header[40:48] = bytes(8)
    header[58:64] = bytes(6)
    return bytes(header)


def _needing(elf: bytes, version: bytes) -> bytes:
    assert b"GLIBC_2.14\0" in elf
    return elf.replace(b"GLIBC_2.14\0", version + b"\0")


ELF_CASES: list[tuple[str, str, Callable[[bytes], bytes], list[Rule]]] = [
    ("as it is", "_c.cpython-313-x86_64-linux-gnu.so", lambda elf: elf, []),
    ("stable interface", "_c.abi3.so", lambda elf: elf, []),
    ("library", "libc.so.6.1", lambda elf: elf, []),
    ("arm64", "_c.so", _for_arm, [Rule.WRONG_ARCHITECTURE]),
    ("i386", "_c.so", _for_i386, [Rule.WRONG_ARCHITECTURE]),
    ("says it is 32-bit", "_c.so", lambda elf: elf[:4] + b"\1" + elf[5:], [Rule.INVALID_ELF]),
    ("musl", "_c.cpython-313-x86_64-linux-musl.so", lambda elf: elf, [Rule.WRONG_ARCHITECTURE]),
    ("older Python", "_c.cpython-312-x86_64-linux-gnu.so", lambda elf: elf, [Rule.WRONG_PYTHON]),
    ("no GIL", "_c.cpython-313t-x86_64-linux-gnu.so", lambda elf: elf, [Rule.WRONG_PYTHON]),
    ("PyPy", "_c.pypy310-pp73-x86_64-linux-gnu.so", lambda elf: elf, [Rule.WRONG_PYTHON]),
    ("glibc 2.34", "_c.so", lambda elf: _needing(elf, b"GLIBC_2.34"), []),
    ("glibc 2.35", "_c.so", lambda elf: _needing(elf, b"GLIBC_2.35"), [Rule.GLIBC_TOO_NEW]),
    ("half of it", "_c.so", lambda elf: elf[: len(elf) // 2], [Rule.INVALID_ELF]),
    ("a tenth of it, stripped", "_c.so", _cut_off_without_sections, [Rule.INVALID_ELF]),
    ("compiled only", "_c.so", lambda elf: elf[:16] + b"\1\0" + elf[18:], [Rule.INVALID_ELF]),
    ("its last byte gone", "_c.so", lambda elf: elf[:-1], [Rule.INVALID_ELF]),
]


@pytest.mark.parametrize(
    ("name", "change", "rules"), [case[1:] for case in ELF_CASES], ids=[c[0] for c in ELF_CASES]
)
def test_shared_objects_must_fit_the_runtime(
    tmp_path: Path,
    shared_object: bytes,
    name: str,
    change: Callable[[bytes], bytes],
    rules: list[Rule],
) -> None:
    """What cannot be loaded on the function's machine, Python and glibc is found beforehand."""
    draft = sound()
    draft.layer.append(Item(f"python/pymongo/{name}", change(shared_object), method=STORED))
    expected = [(rule.id, LAYER_PACKAGE, f"python/pymongo/{name}", None) for rule in rules]
    assert found(draft.write(tmp_path / "b")) == expected
