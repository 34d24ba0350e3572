"""A copy of the source, which can be changed without touching the real one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from pipeline.config import FILES, FUNCTION, FUNCTION_FILE, LAYER, LAYER_LOCK, SOURCE
from pipeline.packaging.lock import Lock

ROOT = Path(__file__).resolve().parent.parent


def copy_to(folder: Path) -> Path:
    """Copy what a deployment needs into `folder`, which must not exist, and return it."""
    folder.mkdir(parents=True)
    for path in (ROOT / "pipeline", ROOT / "terraform", FUNCTION_FILE, *_function()):
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", ".terraform", ".venv")
            shutil.copytree(path, copy, ignore=ignored, dirs_exist_ok=True)
        elif path.is_file():
            shutil.copy2(path, copy)
    return folder


def _function() -> Iterator[Path]:
    """Yield what function.toml names: the function's files, and what its layer is made of."""
    yield from (SOURCE / name for name in FILES)
    if LAYER:
        yield from (
            LAYER_LOCK,
            LAYER_LOCK.with_suffix(".in"),
            LAYER_LOCK.with_name("pyproject.toml"),
        )
        yield from (ROOT / stub for stub in FUNCTION["layer"]["stubs"].values())
        yield from (package.place for package in Lock(LAYER_LOCK).own)
