"""A copy of the source, which can be changed without touching the real one."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def copy_to(folder: Path) -> Path:
    """Copy what a deployment needs into `folder`, which must not exist, and return it."""
    folder.mkdir(parents=True)
    for name in ("function.toml", "lambda_function.py"):
        shutil.copy2(ROOT / name, folder)
    for name in ("pipeline", "layer", "terraform"):
        ignored = shutil.ignore_patterns("__pycache__", ".terraform")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    return folder
