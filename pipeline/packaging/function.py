"""The function's own files: those that function.toml names, checked."""

from __future__ import annotations

import re
import sys

from pipeline.bundle.function_files import belongs
from pipeline.config import FILES, HANDLER, HANDLER_PATH, ROOT, RUNTIME, SOURCE
from pipeline.errors import SourceError, UsageError


def read_files() -> dict[str, bytes]:
    """Return the files of the function's zip, checked: path in it → content.

    Raises UsageError if function.toml names what is not there, or if this Python is not the
    deployed one, and SourceError for source that does not compile.
    """
    files = read_contents()
    for path, content in files.items():
        if path.endswith(".py"):
            check_source(content, (SOURCE / path).relative_to(ROOT).as_posix())
    return files


def read_contents() -> dict[str, bytes]:
    """Return the files of the function's zip: path in it → content.

    Raises UsageError if function.toml names what is not there.
    """
    files: dict[str, bytes] = {}
    for name in FILES:
        place = SOURCE / name
        found = place.rglob("*", recurse_symlinks=True) if place.is_dir() else [place]
        paths = {file.relative_to(SOURCE).as_posix(): file for file in found if file.is_file()}
        taken = {path: file.read_bytes() for path, file in paths.items() if belongs(path)}
        if not taken:
            raise UsageError(
                f"function.toml: no such file or folder in files: {name}",
                f"Paths are relative to {SOURCE}. Correct `files` or `source`.",
            )
        files |= taken
    if HANDLER_PATH not in files:
        raise UsageError(
            f"function.toml: the file of the handler {HANDLER} does not exist: {HANDLER_PATH}",
            "Create the file, correct `handler`, or add the file's folder to `files`.",
        )
    return files


def check_source(source: bytes, name: str) -> None:
    """Compile `source` for the deployed Python; raise SourceError with the place if it does not.

    Raises UsageError if this Python is not the deployed one, which could judge otherwise.
    """
    running = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if running != RUNTIME:
        raise UsageError(
            f"this is {running}, but the function's runtime is {RUNTIME}",
            f"Use the {RUNTIME} of .venv.",
            command="make setup && . .venv/bin/activate",
        )
    try:
        compile(source, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        line, column = error.lineno or 1, error.offset or 1
        displayed = (error.text or "").rstrip("\n")
        caret = re.sub(r"[^\t]", " ", displayed[: column - 1]) + "^"
        raise SourceError(
            f"{name}:{line}:{column}: {error.msg}\n    {displayed}\n    {caret}",
            "Correct the line, and build again. An existing bundle was not changed.",
            file=name,
            line=line,
            column=column,
        ) from error
