"""What a runtime writes: records of its logger in frames, and what a function prints, by lines.

Lambda gives the runtime a file descriptor in `_LAMBDA_TELEMETRY_LOG_FD`. The runtime writes each
record of its logger there as one frame, so a record of several lines stays one event of the log,
and what the function prints next begins another. A frame is its type, the message's length (4 bytes
each) and the time (8 bytes), big-endian, then the message. Source: `FramedTelemetryLogSink` in
awslambdaric's bootstrap.py.

Here the descriptor is a copy of the standard output: frames and lines keep the order in which they
were written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

# The fourth byte holds the record's level and format: `_TEXT_FRAME_TYPES` in bootstrap.py.
_TYPE = b"\xa5\x5a\x00"
_LENGTH = slice(4, 8)
_HEADER_BYTES = 16
_CHUNK_BYTES = 65_536
_NEXT = re.compile(rb"\n|" + _TYPE)


@dataclass(frozen=True)
class Record:
    """A line that was printed, or a record of the runtime's logger in one piece."""

    text: str
    framed: bool = False


def framing(command: Sequence[str]) -> list[str]:
    """Return the command that runs `command`, with frames for its logger's records."""
    script = 'exec env _LAMBDA_TELEMETRY_LOG_FD=3 "$@" 3>&1'
    return ["/bin/sh", "-c", script, "sh", *command]


def records(output: IO[bytes]) -> Iterator[Record]:
    """Yield what comes from an output, as soon as it comes, until it is closed."""
    held = b""
    while chunk := os.read(output.fileno(), _CHUNK_BYTES):
        held += chunk
        while found := _NEXT.search(held):
            if found.start() and found[0] != b"\n":
                # What was printed without a line break before the frame.
                yield _record(held[: found.start()])
                held = held[found.start() :]
            elif found[0] == b"\n":
                yield _record(held[: found.start()])
                held = held[found.end() :]
            else:
                end = _HEADER_BYTES + int.from_bytes(held[_LENGTH], "big")
                if len(held) < max(end, _HEADER_BYTES + 1):
                    break
                yield _record(held[_HEADER_BYTES:end].removesuffix(b"\n"), framed=True)
                held = held[end:]
    if held:
        yield _record(held)


def _record(text: bytes, *, framed: bool = False) -> Record:
    return Record(text.decode(errors="replace"), framed)
