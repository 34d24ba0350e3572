"""Which files the function's zip may hold: those that function.toml names, and no others."""

from __future__ import annotations

import re

from pipeline.config import FILES

# Inside a folder these are left out: bytecode, tests, and what starts with a dot. A file or folder
# that function.toml names itself is not one of them.
_LEFT_OUT = re.compile(
    r"(.*/)?(\..*|__pycache__/.*|tests?/.*|[^/]*\.py[co]"
    r"|test_[^/]*\.py|[^/]*_test\.py|conftest\.py)"
)


def belongs(path: str) -> bool:
    """Return whether the function's zip may hold a file at `path`."""
    return any(path == name or _is_part(path, name) for name in FILES)


def _is_part(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/") and not _LEFT_OUT.fullmatch(path, len(folder) + 1)
