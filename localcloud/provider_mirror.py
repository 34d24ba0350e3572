"""Let Terraform find its provider where the registry cannot be reached."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Collection, Iterator
from pathlib import Path

_REGISTRY = "registry.terraform.io"
_PROVIDER = f"{_REGISTRY}/hashicorp/aws"
_PATIENCE_S = 3
# How deep below the root a mirror is looked for, and where none can be.
_DEPTH = 4
_NOT_IN = {"proc", "sys", "dev", "run", "tmp"}


def cli_config(folder: Path, root: Path = Path("/")) -> Path | None:
    """Return the CLI configuration that Terraform needs here, or None if it needs none.

    The user's own (TF_CLI_CONFIG_FILE, if that file exists) wins; where the registry answers, none
    is needed; else one is written into `folder` that names an unpacked mirror found below `root`.
    """
    own = os.environ.get("TF_CLI_CONFIG_FILE")
    if own and Path(own).is_file():
        return Path(own)
    mirror = None if _registry_answers() else next(_mirrors(root, _DEPTH, _NOT_IN), None)
    if mirror is None:
        return None
    config = folder / "terraform.rc"
    config.write_text(
        "provider_installation {\n"
        f"  filesystem_mirror {{\n    path = {json.dumps(str(mirror))}\n  }}\n"
        "}\n"
    )
    return config


def _registry_answers() -> bool:
    try:
        with urllib.request.urlopen(
            f"https://{_REGISTRY}/.well-known/terraform.json", timeout=_PATIENCE_S
        ):
            return True
    except OSError:
        return False


def _mirrors(folder: Path, depth: int, not_in: Collection[str] = ()) -> Iterator[Path]:
    """Yield folders that hold an unpacked mirror with our provider, looking `depth` levels down."""
    if (folder / _PROVIDER).is_dir():
        yield folder
    if depth == 0:
        return
    try:
        below = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    except OSError:
        return
    for entry in below:
        if not entry.is_symlink() and entry.name not in not_in:
            yield from _mirrors(entry, depth - 1)
