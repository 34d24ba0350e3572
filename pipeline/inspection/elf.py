"""Read what a shared object needs of the machine it is loaded on, as the dynamic loader reads it.

Only the program headers and what they lead to are read: the loader needs no sections, and a file
that was stripped of them is sound. Sources: the System V ABI, "Program Loading and Dynamic
Linking"; the Linux Standard Base, "Symbol Versioning".
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

ELF_MARK = b"\x7fELF"

_HEADER = struct.Struct("<16s2HI3QI6H")
_SEGMENT = struct.Struct("<2I6Q")
_DYNAMIC = struct.Struct("<qQ")
_LIBRARY_VERSIONS = struct.Struct("<2H3I")
_VERSION = struct.Struct("<I2H2I")
_LITTLE_ENDIAN_64 = b"\2\1"
_EXECUTABLE, _SHARED = 2, 3
_LOADED, _HAS_DYNAMIC = 1, 2
_END, _NEEDED, _STRINGS, _RPATH, _RUNPATH = 0, 1, 5, 15, 29
_NEEDED_VERSIONS = 0x6FFFFFFE

# A hostile file could state any number of entries, in lists that lead to each other. libQt5Gui, one
# of the largest libraries there are, has 60 entries and 40 versions.
_MAX_ENTRIES = 10_000
_MAX_STRING_BYTES = 4096  # Linux's PATH_MAX

_GLIBC = re.compile(r"GLIBC_(\d{1,4})\.(\d{1,4})(?:\.\d+)?")


@dataclass(frozen=True)
class SharedObject:
    """What a shared object needs.

    `machine` is ELF's number of the machine; it is None, and nothing else is known, if the file is
    not 64-bit and little-endian, as all that Lambda runs is. The loader looks for `libraries`
    in `search_path` first ($ORIGIN stands for the file's own folder). `glibc` is the newest glibc
    that it needs, as (major, minor).
    """

    machine: int | None
    libraries: tuple[str, ...] = ()
    search_path: tuple[str, ...] = ()
    glibc: tuple[int, int] | None = None


def read_shared_object(content: bytes) -> SharedObject:
    """Read the ELF file whose bytes are `content`; raise ValueError if it cannot be loaded."""
    if not content.startswith(ELF_MARK):
        raise ValueError("it is not an ELF file")
    if len(content) > len(ELF_MARK) and content[4:6] != _LITTLE_ENDIAN_64:
        return SharedObject(machine=None)
    try:
        return _Reader(content).read()
    except (struct.error, OverflowError) as error:
        raise ValueError("it is a broken ELF file: an offset is outside of the file") from error


class _Reader:
    def __init__(self, content: bytes) -> None:
        """Read the header and the program headers."""
        self._content = content
        header = _HEADER.unpack_from(content)
        kind, self._machine, segments_at, sections_at = header[1], header[2], header[5], header[6]
        segments, section_bytes, sections = header[10], header[11], header[12]
        if kind not in (_EXECUTABLE, _SHARED):
            raise ValueError(f"it cannot be loaded (ELF type {kind})")
        self._segments = [
            _SEGMENT.unpack_from(content, segments_at + number * _SEGMENT.size)
            for number in range(segments)
        ]
        end = max(
            sections_at + sections * section_bytes,
            *(offset + file_bytes for _, _, offset, _, _, file_bytes, _, _ in self._segments),
            0,
        )
        if end > len(content):
            raise ValueError(f"it is cut off: {len(content):,} bytes of {end:,}")

    def read(self) -> SharedObject:
        """Read the dynamic section."""
        entries = list(self._dynamic())
        values = dict(entries)
        strings_at = self._offset(values.get(_STRINGS, 0))
        needed = [self._string(strings_at + value) for tag, value in entries if tag == _NEEDED]
        path_at = values.get(_RUNPATH, values.get(_RPATH))
        path = "" if path_at is None else self._string(strings_at + path_at)
        return SharedObject(
            machine=self._machine,
            libraries=tuple(needed),
            search_path=tuple(filter(None, path.split(":"))),
            glibc=max(self._needed_glibc(values.get(_NEEDED_VERSIONS), strings_at), default=None),
        )

    def _dynamic(self) -> Iterator[tuple[int, int]]:
        """Yield the entries of the dynamic section: tag, value."""
        starts = [offset for kind, _, offset, *_ in self._segments if kind == _HAS_DYNAMIC]
        for start in starts[:1]:
            for number in range(_MAX_ENTRIES):
                tag, value = _DYNAMIC.unpack_from(self._content, start + number * _DYNAMIC.size)
                if tag == _END:
                    return
                yield tag, value
            raise ValueError("it is a broken ELF file: its dynamic section has no end")

    def _needed_glibc(self, address: int | None, strings_at: int) -> Iterator[tuple[int, int]]:
        """Yield each version of glibc of which it needs a symbol: a list for each library."""
        library_at = None if address is None else self._offset(address)
        seen = 0
        while library_at is not None:
            _, count, _, first, step = _LIBRARY_VERSIONS.unpack_from(self._content, library_at)
            version_at = library_at + first
            for _ in range(count):
                _, _, _, name, next_version = _VERSION.unpack_from(self._content, version_at)
                if match := _GLIBC.fullmatch(self._string(strings_at + name)):
                    yield int(match[1]), int(match[2])
                version_at += next_version
            seen += count + 1
            if seen > _MAX_ENTRIES:
                raise ValueError("it is a broken ELF file: its list of versions has no end")
            library_at = library_at + step if step else None

    def _offset(self, address: int) -> int:
        """Return where in the file lies what is loaded to an address."""
        for kind, _, offset, start, _, file_bytes, _, _ in self._segments:
            if kind == _LOADED and start <= address < start + file_bytes:
                return int(offset + address - start)
        return address

    def _string(self, at: int) -> str:
        text, end, _ = self._content[at : at + _MAX_STRING_BYTES].partition(b"\0")
        if not end:
            raise ValueError("it is a broken ELF file: a name in it has no end")
        return text.decode(errors="backslashreplace")
