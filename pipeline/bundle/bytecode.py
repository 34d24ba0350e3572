"""Bytecode: Python compiled ahead, as a layer ships it and as an inspection reads it.

Lambda's disk is read-only, so what ships as source is compiled again at every cold start, which
then is most of it. Bytecode next to its source would double the layer, so it takes its
place: `x.pyc` for `x.py`, where Python looks for it and asks nothing but whether its own version
made it. Source: Python's reference, "The import system", and PEP 552 (the header).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import LayerError

SUFFIX = ".pyc"

_HEADER_BYTES = 16  # a magic number, flags, and the hash of the source, or its time and size


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
                f"the layer's source cannot be compiled:\n{done.stdout.strip()}",
                "Lock releases that support the runtime's Python.",
            )
        compiled = {f"{path}c": Path(folder, f"{path}c").read_bytes() for path in sources}
    return {path: content for path, content in files.items() if path not in sources} | compiled


def what_is_wrong(content: bytes, magic: int | None) -> str | None:
    """Return why Python would not take bytecode that stands alone; None if it is fine.

    `magic` is the runtime's number of its bytecode, None if the runtime is not known.
    """
    header = content[:_HEADER_BYTES]
    if len(header) < _HEADER_BYTES or header[2:4] != b"\r\n":
        return "it has no header of Python's bytecode"
    found = int.from_bytes(header[:2], "little")
    if magic is not None and found != magic:
        return f"its magic number is {found}, the runtime's is {magic}"
    return None
