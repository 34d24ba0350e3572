"""Unpack one entry of a package, piece by piece: never to disk, never more than it states."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.inspection.zip_reader import CHUNK_BYTES, DEFLATED, STORED, DamageError, Entry
from pipeline.inspection.rules import Rule


def read_chunks(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    """Yield the entry's content in pieces of at most 256 KiB.

    Never yields more than the size that the zip states. Raises DamageError, after what could be
    read, if the content has another size or checksum, or is no deflated data.
    """
    size_bytes, crc = 0, 0
    for chunk in _unpack(file, entry):
        size_bytes += len(chunk)
        if size_bytes > entry.size_bytes:
            message = f"it unpacks to more than the {entry.size_bytes:,} bytes that the zip states"
            raise DamageError(Rule.WRONG_SIZE, message)
        crc = zlib.crc32(chunk, crc)
        yield chunk
    if size_bytes != entry.size_bytes:
        message = f"it unpacks to {size_bytes:,} bytes, but the zip states {entry.size_bytes:,}"
        raise DamageError(Rule.WRONG_SIZE, message)
    if crc != entry.crc:
        message = f"its content has the checksum {crc:08x}, the zip states {entry.crc:08x}"
        raise DamageError(Rule.BAD_CRC, message)


def _unpack(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    assert entry.data_at is not None, "only located entries are read"
    file.seek(entry.data_at)
    left = entry.packed_bytes
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    while not (inflate.eof if entry.method == DEFLATED else left == 0):
        packed = inflate.unconsumed_tail
        if not packed:
            packed = file.read(min(CHUNK_BYTES, left))
            left -= len(packed)
        if entry.method == STORED:
            chunk = packed
        else:
            try:
                chunk = inflate.decompress(packed, CHUNK_BYTES)
            except zlib.error as error:
                raise DamageError(Rule.DAMAGED_ENTRY, f"its content is broken: {error}") from error
        if not packed and not chunk and not inflate.eof:
            raise DamageError(Rule.DAMAGED_ENTRY, "its content is cut off")
        yield chunk
    if left or inflate.unused_data:
        raise DamageError(Rule.DAMAGED_ENTRY, "bytes follow its content")
