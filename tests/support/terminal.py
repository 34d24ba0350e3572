"""A terminal, for what a person sees and a log does not."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from scratch.project import Project

_COLUMNS = 100
# Makes file descriptor 0 the terminal that Ctrl-C comes from, and then is the command.
_AT_IT = "import os, sys; os.login_tty(0); os.execv(sys.argv[1], sys.argv[1:])"
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CTRL_C = b"\x03"


@dataclass
class Terminal:
    """A command at a terminal, and all that it has written there so far."""

    process: subprocess.Popen[bytes]
    _keyboard: int
    _written: list[bytes] = field(default_factory=list)

    def press(self, key: bytes) -> None:
        os.write(self._keyboard, key)

    @property
    def written(self) -> str:
        """What was written, control codes and all."""
        return b"".join(self._written).decode(errors="replace")

    @property
    def text(self) -> str:
        """The same without the codes that move the cursor, delete and colour."""
        return _ESCAPE.sub("", self.written)

    @property
    def colours(self) -> set[str]:
        """The codes that set a colour."""
        return set(re.findall(r"\x1b\[(?:\d+;)*(?:[349]\d|10\d)[\d;]*m", self.written))

    @property
    def screen(self) -> list[str]:
        """The lines that stayed: a bar that is gone is not among them."""
        lines, row = [""], 0
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r\n|\r|\n|[^\x1b\r\n]+", self.written):
            if part.endswith("\n"):
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif up := re.fullmatch(r"\x1b\[(\d+)A", part):
                row -= int(up[1])
            elif part == "\x1b[2K":
                lines[row] = ""
            elif part[0] not in "\x1b\r":
                lines[row] += part
        return lines

    @property
    def shows_its_cursor(self) -> bool:
        return self.written.rfind("\x1b[?25h") >= self.written.rfind("\x1b[?25l")


@contextmanager
def at(
    project: Project, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """Run `python -m pipeline …` at a terminal, to its end."""
    keyboard, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, _COLUMNS, 0, 0))
    settings = project.process_environment() | {"TERM": "xterm"} | dict(environment or {})
    # Whoever runs the tests may have chosen something for themselves.
    chosen = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE"} - set(environment or {})
    process = subprocess.Popen(
        [sys.executable, "-c", _AT_IT, *project.command(*arguments)],
        cwd=project.folder,
        env={name: value for name, value in settings.items() if name not in chosen},
        stdin=end,
        stdout=end,
        stderr=end,
    )
    os.close(end)
    terminal = Terminal(process, keyboard)
    reader = threading.Thread(target=_read, args=(keyboard, terminal._written))
    reader.start()
    try:
        yield terminal
        process.wait()
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(keyboard)


def _read(keyboard: int, written: list[bytes]) -> None:
    """Read until nobody has the terminal open any more."""
    try:
        while part := os.read(keyboard, 65536):
            written.append(part)
    except OSError:
        return
