"""Shared objects as a linker writes them, but for their code: of any machine, with any needs."""

from __future__ import annotations

import struct
from collections.abc import Sequence

X86_64, AARCH64, I386 = 62, 183, 3
_HEADERS_BYTES = 64 + 2 * 56


def shared_object(
    libraries: Sequence[str] = ("libc.so.6",),
    *,
    path: str = "",
    path_tag: int = 29,
    glibc: str = "GLIBC_2.17",
    machine: int = X86_64,
    kind: int = 3,
) -> bytes:
    """Return a shared object without sections that needs `libraries`, and a version of glibc.

    `path` is where it has them looked for, as DT_RUNPATH (29) or DT_RPATH (15). It is loaded to an
    address that differs from its place in the file, as most are.
    """
    strings = b"\0"

    def string(text: str) -> int:
        nonlocal strings
        at = len(strings)
        strings += text.encode() + b"\0"
        return at

    entries = [(1, string(name)) for name in libraries]
    entries += [(path_tag, string(path))] if path else []
    library, version = string("libc.so.6"), string(glibc)
    loaded_at = 0x1000
    dynamic_at = _HEADERS_BYTES
    versions_at = dynamic_at + (len(entries) + 3) * 16
    strings_at = versions_at + 32
    entries += [(5, loaded_at + strings_at), (0x6FFFFFFE, loaded_at + versions_at), (0, 0)]
    body = b"".join(struct.pack("<qQ", *entry) for entry in entries)
    body += struct.pack("<2H3I", 1, 1, library, 16, 0) + struct.pack("<I2H2I", 0, 0, 2, version, 0)
    body += strings
    size = _HEADERS_BYTES + len(body)
    identity = b"\x7fELF\2\1\1" + bytes(9)
    header = struct.pack("<2HI3QI6H", kind, machine, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    loaded = struct.pack("<2I6Q", 1, 5, 0, loaded_at, loaded_at, size, size, 0x1000)
    dynamic_bytes = len(entries) * 16
    dynamic = struct.pack(
        "<2I6Q", 2, 6, dynamic_at, loaded_at + dynamic_at, 0, dynamic_bytes, dynamic_bytes, 8
    )
    return identity + header + loaded + dynamic + body


def for_i386() -> bytes:
    """Return the header of a 32-bit shared object that has nothing in it."""
    identity = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    return identity + struct.pack("<2H5I6H", 3, I386, 1, 0, 0, 0, 0, 52, 32, 0, 40, 0, 0)
