"""Print how large a zip of a folder's files is with zopfli: `python zopfli_size.py <folder>`.

The package deflates and writes no zips, so the headers are counted: PKWARE's APPNOTE 6.3.9.
"""

import sys
from pathlib import Path

from zopfli.zlib import compress

_HEADERS_BYTES, _END_BYTES = 30 + 46, 22
_ZLIB_BYTES = 6  # what zlib's format has around the deflated data (RFC 1950)

folder = Path(sys.argv[1])
size_bytes = _END_BYTES
for path in folder.rglob("*"):
    if path.is_file():
        content = path.read_bytes()
        packed_bytes = min(len(content), len(compress(content)) - _ZLIB_BYTES)
        name = path.relative_to(folder).as_posix().encode()
        size_bytes += _HEADERS_BYTES + 2 * len(name) + packed_bytes
print(size_bytes)
