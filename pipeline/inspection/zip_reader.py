"""Open a package as a stranger's zip: all of its structure is checked before anything is unpacked.

Format: PKWARE's APPNOTE 6.3.9. Only plain zips are read (one volume, no zip64, entries stored or
deflated); all else is a finding. Python's zipfile is not used, because it forgives: it skips bytes
before and after the archive, cuts names at NUL, and takes most of a local header on trust, so
that another program may unpack something else from the same file.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from pipeline.inspection.rules import Finding, Rule

CHUNK_BYTES = 1 << 18
STORED, DEFLATED = 0, 8

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_DESCRIPTOR = struct.Struct("<3I")
_LOCAL_MARK, _CENTRAL_MARK, _END_MARK = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_DESCRIPTOR_MARK = b"PK\x07\x08"
_MAX_COMMENT_BYTES = 0xFFFF
_MAX_DIRECTORY_BYTES = 32 << 20  # 65,535 entries, the most without zip64, of 512 bytes each
_ZIP64_16, _ZIP64_32 = 0xFFFF, 0xFFFFFFFF
_UNIX = (3, 19)  # Unix and macOS, as "version made by" numbers them
_FLAG_DESCRIPTOR, _FLAG_UTF8 = 1 << 3, 1 << 11
_FLAG_ENCRYPTED = 1 | 1 << 6 | 1 << 13


@dataclass(frozen=True)
class Entry:
    """One entry as the zip's directory describes it.

    `attributes` are the external ones: a Unix mode in the upper half, DOS's in the lower.
    `extras` are the extra fields of the directory and of the local header. `data_at` is where the
    content starts in the file, or None if it cannot be read. `name_is_clear` says that every
    program would decode the name to the same text.
    """

    path: str
    name_is_clear: bool
    size_bytes: int
    packed_bytes: int
    crc: int
    method: int
    flags: int
    made_by_unix: bool
    attributes: int
    dos_date: int
    dos_time: int
    extras: tuple[bytes, ...]
    header_at: int
    data_at: int | None = None

    @property
    def is_folder(self) -> bool:
        return self.path.endswith("/")


@dataclass(frozen=True)
class OpenedPackage:
    """A zip whose structure has been read, and what is wrong with that structure.

    `is_readable` is false if the directory could not be read, and true for a zip without entries.
    """

    name: str
    file: BinaryIO
    size_bytes: int
    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...]
    is_readable: bool

    @property
    def unzipped_bytes(self) -> int:
        """The size of all contents, as the zip states it."""
        return sum(entry.size_bytes for entry in self.entries)

    def sha256(self) -> str:
        """Return the digest of the zip itself."""
        digest = hashlib.sha256()
        self.file.seek(0)
        while piece := self.file.read(CHUNK_BYTES):
            digest.update(piece)
        return digest.hexdigest()


class DamageError(Exception):
    """A package or entry cannot be read any further, because it breaks `rule`."""

    def __init__(self, rule: Rule, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message


def open_package(name: str, file: BinaryIO) -> OpenedPackage:
    """Read the structure of the zip in `file` (seekable), which findings call `name`."""
    size_bytes = file.seek(0, os.SEEK_END)
    findings: list[Finding] = []
    try:
        end = _find_end(file, size_bytes, name, findings)
        entries = _read_directory(file, end)
    except DamageError as damage:
        findings.append(Finding(damage.rule, name, None, damage.message))
        return OpenedPackage(name, file, size_bytes, (), tuple(findings), is_readable=False)
    if len(entries) != end.count:
        message = f"it states {end.count:,} entries and lists {len(entries):,}"
        findings.append(Finding(Rule.DAMAGED_ZIP, name, None, message))
    located = tuple(_locate(file, name, entries, end, findings))
    return OpenedPackage(name, file, size_bytes, located, tuple(findings), is_readable=True)


@dataclass(frozen=True)
class _End:
    """What the end record says: `shift` bytes lie before the zip, all offsets are after them."""

    count: int
    directory_at: int
    directory_bytes: int
    shift: int


def _find_end(file: BinaryIO, file_bytes: int, name: str, findings: list[Finding]) -> _End:
    tail_at = max(0, file_bytes - _END.size - _MAX_COMMENT_BYTES)
    file.seek(tail_at)
    tail = file.read()
    at = tail.rfind(_END_MARK, 0, max(0, len(tail) - _END.size + len(_END_MARK)))
    if at < 0:
        raise DamageError(Rule.NOT_A_ZIP, "it has no end record of a zip")
    _, disk, first_disk, on_disk, count, directory_bytes, offset, _ = _END.unpack_from(tail, at)
    if count == _ZIP64_16 or _ZIP64_32 in (directory_bytes, offset):
        raise DamageError(Rule.UNSUPPORTED_ZIP_FEATURE, "it is a zip64 archive")
    if (disk, first_disk, on_disk) != (0, 0, count):
        raise DamageError(Rule.UNSUPPORTED_ZIP_FEATURE, "it is one of several volumes")
    before = tail_at + at - directory_bytes - offset
    after = file_bytes - tail_at - at - _END.size
    if before < 0 or directory_bytes > _MAX_DIRECTORY_BYTES:
        message = f"its directory cannot be {directory_bytes:,} bytes at {offset:,}"
        raise DamageError(Rule.DAMAGED_ZIP, message)
    for where, stray in (("before it or its end record", before), ("after its end", after)):
        if stray:
            findings.append(Finding(Rule.STRAY_BYTES, name, None, f"{stray:,} bytes lie {where}"))
    file.seek(offset)
    shift = 0 if file.read(len(_CENTRAL_MARK)) == _CENTRAL_MARK else before
    return _End(count, offset + shift, directory_bytes, shift)


def _read_directory(file: BinaryIO, end: _End) -> list[Entry]:
    file.seek(end.directory_at)
    directory = file.read(end.directory_bytes)
    entries: list[Entry] = []
    at = 0
    while at < len(directory):
        if directory[at : at + 4] != _CENTRAL_MARK or len(directory) - at < _CENTRAL.size:
            raise DamageError(Rule.DAMAGED_ZIP, f"its directory is broken at entry {len(entries)}")
        entry, length = _read_central(directory, at, end.shift)
        entries.append(entry)
        at += length
    if at > len(directory):
        raise DamageError(Rule.DAMAGED_ZIP, "its directory is cut off")
    return entries


def _read_central(directory: bytes, at: int, shift: int) -> tuple[Entry, int]:
    """Return the entry described at `at`, and the length of its description in bytes."""
    fields = _CENTRAL.unpack_from(directory, at)
    _, made_by, _, flags, method, dos_time, dos_date, crc, packed, size = fields[:10]
    name_bytes, extra_bytes, comment_bytes, _, _, attributes, offset = fields[10:]
    extra_at = at + _CENTRAL.size + name_bytes
    path, name_is_clear = _decode(directory[at + _CENTRAL.size : extra_at], flags)
    entry = Entry(
        path=path,
        name_is_clear=name_is_clear,
        size_bytes=size,
        packed_bytes=packed,
        crc=crc,
        method=method,
        flags=flags,
        made_by_unix=made_by >> 8 in _UNIX,
        attributes=attributes,
        dos_date=dos_date,
        dos_time=dos_time,
        extras=(directory[extra_at : extra_at + extra_bytes],),
        header_at=offset + shift,
    )
    return entry, _CENTRAL.size + name_bytes + extra_bytes + comment_bytes


def _decode(name: bytes, flags: int) -> tuple[str, bool]:
    """Return the name as text, and whether every program would decode it so."""
    encoding = "utf-8" if flags & _FLAG_UTF8 else "ascii"
    try:
        return name.decode(encoding), True
    except UnicodeDecodeError:
        return name.decode(encoding, "backslashreplace"), False


def _locate(
    file: BinaryIO, package: str, entries: list[Entry], end: _End, findings: list[Finding]
) -> Iterator[Entry]:
    """Yield the entries in the order of the file, with where their content starts.

    From the start of the zip to its directory they must lie side by side, and each local header
    must say what the directory says. An entry that cannot be read is reported and yielded as it
    is.
    """

    def report(rule: Rule, path: str | None, message: str) -> None:
        findings.append(Finding(rule, package, path, message))

    expected: int | None = end.shift  # None where it is not known how far the last entry goes
    for entry in sorted(entries, key=lambda entry: entry.header_at):
        gap = 0 if expected is None else entry.header_at - expected
        if gap < 0:
            report(Rule.OVERLAPPING_ENTRIES, entry.path, "it starts inside the one in front of it")
            yield entry
            continue
        if gap > 0:
            report(Rule.STRAY_BYTES, entry.path, f"{gap:,} bytes lie in front of it")
        expected = None
        try:
            located, expected = _read_local(file, entry, end.directory_at)
            _check_form(entry)
        except DamageError as damage:
            report(damage.rule, entry.path, damage.message)
            yield entry
        else:
            yield located
    gap = 0 if expected is None else end.directory_at - expected
    if gap:
        report(Rule.STRAY_BYTES, None, f"{gap:,} bytes lie between its entries and its directory")


def _read_local(file: BinaryIO, entry: Entry, directory_at: int) -> tuple[Entry, int]:
    """Return the entry with its place, and where it ends."""
    file.seek(entry.header_at)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size or not header.startswith(_LOCAL_MARK):
        raise DamageError(Rule.DAMAGED_ENTRY, "its header is missing")
    _, _, flags, method, _, _, *stated, name_bytes, extra_bytes = _LOCAL.unpack(header)
    path, _ = _decode(file.read(name_bytes), flags)
    extra = file.read(extra_bytes)
    if (path, flags, method) != (entry.path, entry.flags, entry.method):
        raise DamageError(Rule.DAMAGED_ENTRY, "its header and the directory differ")
    data_at = entry.header_at + _LOCAL.size + name_bytes + extra_bytes
    end = data_at + entry.packed_bytes
    if flags & _FLAG_DESCRIPTOR:
        stated, end = _read_descriptor(file, end)
    if stated[1:] != [entry.packed_bytes, entry.size_bytes] or end > directory_at:
        raise DamageError(Rule.DAMAGED_ENTRY, "its header and the directory have different sizes")
    if stated[0] != entry.crc:
        raise DamageError(Rule.BAD_CRC, "its header and the directory have different checksums")
    return replace(entry, extras=(*entry.extras, extra), data_at=data_at), end


def _read_descriptor(file: BinaryIO, at: int) -> tuple[list[int], int]:
    """Return checksum, packed size and size as stated after the content, and where that ends."""
    file.seek(at)
    if file.read(len(_DESCRIPTOR_MARK)) != _DESCRIPTOR_MARK:  # the mark is optional
        file.seek(at)
    descriptor = file.read(_DESCRIPTOR.size)
    if len(descriptor) < _DESCRIPTOR.size:
        raise DamageError(Rule.DAMAGED_ENTRY, "the description after its content is cut off")
    return list(_DESCRIPTOR.unpack(descriptor)), file.tell()


def _check_form(entry: Entry) -> None:
    if entry.flags & _FLAG_ENCRYPTED:
        raise DamageError(Rule.ENCRYPTED_ENTRY, "it is encrypted")
    if entry.method not in (STORED, DEFLATED):
        message = f"its compression method is {entry.method}, neither stored (0) nor deflated (8)"
        raise DamageError(Rule.UNSUPPORTED_ZIP_FEATURE, message)
