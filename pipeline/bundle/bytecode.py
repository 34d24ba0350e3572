"""Bytecode: Python compiled ahead, as a layer ships it and as an inspection reads it.

Lambda's disk is read-only, so what ships as source is compiled again at every cold start, which
then is most of it. Bytecode that lies beside its source would double the layer, so it takes its
place: `x.pyc` for `x.py`, where Python looks for it and asks nothing but whether its own version
made it. Source: Python's reference, "The import system", and PEP 552 (the header).
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import LayerError

SUFFIX = ".pyc"

# A magic number, flags, and the hash of the source. "Unchecked" bytecode is taken as it is: it
# carries no time, which would differ from build to build, and no source has to be looked at.
_HEADER_BYTES = 16
_UNCHECKED_HASH = (0b01).to_bytes(4, "little")

# Marshal's types for an ASCII string of up to 255 characters, each also with the mark of an object
# that is referred to again (Python/marshal.c). Names are such strings.
_NAME = re.compile(rb"(?=[zZ\xfa\xda]([\x01-\xff])([A-Za-z_][A-Za-z0-9_.]*))", re.DOTALL)


def compile_sources(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files (path in a layer: content) with bytecode in place of Python source.

    The same source gives the same bytes with the same Python. Raises LayerError for source that
    does not compile.
    """
    sources = {path: content for path, content in files.items() if path.endswith(".py")}
    with tempfile.TemporaryDirectory() as folder:
        for path, content in sources.items():
            place = Path(folder, path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        # Tracebacks name the place that Lambda unpacks layers to. A process of its own, for what
        # a process has done before shows in what it compiles.
        command = [sys.executable, "-P", "-m", "compileall", "-q", "-b", "-s", folder, "-p", "/opt"]
        command += ["--invalidation-mode", "unchecked-hash", folder]
        done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONHASHSEED": "0"})
        if done.returncode != 0:
            raise LayerError(
                f"the layer's source does not compile:\n{done.stdout.strip()}",
                "Lock releases that are made for the deployed Python.",
            )
        compiled = {f"{path}c": Path(folder, f"{path}c").read_bytes() for path in sources}
    return {path: content for path, content in files.items() if path not in sources} | compiled


def what_is_wrong(content: bytes, magic: int | None) -> str | None:
    """Say why Python would not take the bytecode, or would ask for its source; None if it is fine.

    `magic` is the runtime's number of its bytecode, None if the runtime is not known.
    """
    header = content[:_HEADER_BYTES]
    if len(header) < _HEADER_BYTES or header[2:4] != b"\r\n":
        return "it has no header of Python's bytecode"
    found = int.from_bytes(header[:2], "little")
    if magic is not None and found != magic:
        return f"its magic number is {found}, the runtime's is {magic}"
    if header[4:8] != _UNCHECKED_HASH:
        return "it is not of the kind that is taken as it is (unchecked hash)"
    return None


def names(content: bytes) -> set[str]:
    """Return the names in bytecode, those of imported packages among them, without loading it.

    Some are more than names (every short string counts), and none is missing.
    """
    found = set()
    for match in _NAME.finditer(content, _HEADER_BYTES):
        name = match[2][: match[1][0]]
        found.add(name.decode().partition(".")[0])
    return found
