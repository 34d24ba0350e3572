"""What there is: the function, as function.toml tells, its environments, its files."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent
FUNCTION_FILE = ROOT / "function.toml"

# The longest name made of `name` is that of the state's bucket: <name>-terraform-state-<account>,
# of 63 characters at most ("General purpose bucket naming rules", Amazon S3 user guide).
SHAPES = {
    "name": r"[a-z][a-z0-9-]{1,32}[a-z0-9]",
    "description": r".{0,256}",
    "handler": r"[A-Za-z_]\w*\.[A-Za-z_]\w*",
    "runtime": r"python3\.\d+",
    "architecture": r"x86_64|arm64",
    "layer": r"([a-z][a-z0-9-]{0,30})?",
}
_OPTIONAL: dict[str, Any] = {"description": "", "layer": "", "secrets": [], "smoke": []}


def _told() -> dict[str, Any]:
    """Read function.toml; raise UsageError if it is not what it must be."""
    try:
        told = _OPTIONAL | tomllib.loads(FUNCTION_FILE.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{FUNCTION_FILE} cannot be read: {error}", "Mend it.") from error
    known = [*SHAPES, "secrets", "smoke"]
    if odd := told.keys() - set(known):
        raise _wrong(f"{min(odd)} means nothing", f"Known are {', '.join(known)}.")
    for name, shape in SHAPES.items():
        value = told.get(name)
        if not isinstance(value, str) or not re.fullmatch(shape, value, re.ASCII):
            raise _wrong(f"{name} is {value!r}", f"It has to fit the pattern {shape}")
    secrets = told["secrets"]
    if not isinstance(secrets, list) or not all(map(_is_secret, secrets)):
        raise _wrong(
            f"secrets is {secrets!r}", 'It has to be a list such as ["database-password"].'
        )
    return told


def _is_secret(name: object) -> bool:
    return isinstance(name, str) and bool(re.fullmatch(r"[a-z][a-z0-9-]*", name))


def _wrong(what: str, remedy: str) -> UsageError:
    return UsageError(f"{FUNCTION_FILE.name}: {what}", remedy)


FUNCTION = _told()

SERVICE: str = FUNCTION["name"]
DEPLOYED_FROM_GITHUB = ("staging", "production")
ENVIRONMENTS = ("local", *DEPLOYED_FROM_GITHUB)
# GitHub's own environments, which the workflows name: who may use what, and who is asked.
APPROVAL = "production-approval"
GITHUB_ENVIRONMENTS = (
    *DEPLOYED_FROM_GITHUB,
    *(f"{name}-rollback" for name in DEPLOYED_FROM_GITHUB),
    APPROVAL,
)

HANDLER: str = FUNCTION["handler"]
HANDLER_FILE = ROOT / f"{HANDLER.partition('.')[0]}.py"
RUNTIME: str = FUNCTION["runtime"]
ARCHITECTURE: str = FUNCTION["architecture"]

# The layer's name; empty: there is none.
LAYER: str = FUNCTION["layer"]
LAYER_LOCK = ROOT / "layer" / "requirements.txt"

FUNCTION_PACKAGE = f"{HANDLER_FILE.stem}.zip"
LAYER_PACKAGE = f"{LAYER}-layer.zip"
MANIFEST = "manifest.json"

TERRAFORM_DIR = ROOT / "terraform"
BOOTSTRAP_DIR = TERRAFORM_DIR / "bootstrap"
