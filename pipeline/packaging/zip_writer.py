"""Write zip files that are bit for bit the same wherever and whenever they are written."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping, Set

import deflate

# Everything that could differ between machines is fixed here: entries are sorted, every time is the
# earliest that a zip can hold, every file is -rw-r--r-- or -rwxr-xr-x (AWS runs the code as another
# user, so it must be readable by all), and the compressor is pinned in requirements.txt instead of
# being whichever zlib this Python was linked with.
_DOS_TIME, _DOS_DATE = 0, (1 << 5) | 1  # 00:00:00 on 1980-01-01
_READABLE, _EXECUTABLE = 0o100644, 0o100755
_MADE_BY_UNIX, _NEEDS_2_0 = (3 << 8) | 20, 20
_STORED, _DEFLATED = 0, 8
# The best of libdeflate's levels makes a package 3 % smaller than its default one, and takes twenty
# times as long, a quarter of a second a megabyte. Only a small package is worth that.
_BEST, _DEFAULT = 12, 6
_SMALL_BYTES = 10 << 20
_UTF8_NAMES = 1 << 11

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")


def write_zip(
    files: Mapping[str, bytes],
    executable: Set[str] = frozenset(),
    progress: Callable[[float, str], None] = lambda done, path: None,
) -> bytes:
    """Return a zip archive of `files` (path in the archive: content), some of them `executable`.

    `progress` is called with the bytes that are packed, and the next path.

    The same files give the same bytes on every machine. Format: PKWARE's APPNOTE 6.3.9, without
    zip64 (AWS's limits are far below 4 GB and 65,535 entries).
    """
    is_small = sum(map(len, files.values())) <= _SMALL_BYTES
    level = _BEST if is_small else _DEFAULT
    body, directory = bytearray(), bytearray()
    done = 0
    for path, content in sorted(files.items()):
        progress(done, path)
        done += len(content)
        name = path.encode()
        packed = deflate.deflate_compress(content, level)
        method = _DEFLATED
        if len(packed) >= len(content):
            packed, method = content, _STORED
        common = (_UTF8_NAMES, method, _DOS_TIME, _DOS_DATE, zlib.crc32(content))
        sizes = (len(packed), len(content), len(name))
        directory += _CENTRAL.pack(
            *(b"PK\x01\x02", _MADE_BY_UNIX, _NEEDS_2_0, *common, *sizes),
            *(0, 0, 0, 0, (_EXECUTABLE if path in executable else _READABLE) << 16, len(body)),
        )
        directory += name
        body += _LOCAL.pack(b"PK\x03\x04", _NEEDS_2_0, *common, *sizes, 0) + name + packed
    count = len(files)
    end = _END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), 0)
    return bytes(body + directory + end)
