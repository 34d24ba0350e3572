"""From source to a bundle, bit for bit the same on every machine."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Set
from dataclasses import replace
from pathlib import Path

from pipeline import console
from pipeline.bundle import imports
from pipeline.bundle.manifest import Bundle, Manifest, Package, sha256_hex
from pipeline.config import (
    ARCHITECTURE,
    FUNCTION_PACKAGE,
    HANDLER,
    HANDLER_FILE,
    LAYER,
    LAYER_LOCK,
    LAYER_PACKAGE,
    ROOT,
    RUNTIME,
)
from pipeline.errors import BundleError, SourceError, UsageError
from pipeline.packaging import layer, zip_writer


def build(out: Path) -> Bundle:
    """Build the bundle into the folder `out` and return it.

    A layer that is already there and made by the same recipe is taken as it is. Raises SourceError
    or LayerError, and then leaves what is in `out` as it was.
    """
    source = _source()
    check_source(source, HANDLER_FILE.name)
    wanted = imports.needs_from_layer(imports.imported_packages(source))
    function_zip = zip_writer.write_zip({HANDLER_FILE.name: source})
    manifest = Manifest(
        function=Package.of(FUNCTION_PACKAGE, function_zip),
        layer=None,
        layer_lock_sha256=None,
        handler=HANDLER,
        runtime=RUNTIME,
        architecture=ARCHITECTURE,
        commit=_commit(),
        layer_recipe_sha256=None,
        dependencies={},
    )
    bundle = Bundle(manifest, function_zip, None)
    if LAYER:
        bundle = _with_layer(bundle, wanted, out)
    bundle.write(out)
    return bundle


def _source() -> bytes:
    try:
        return HANDLER_FILE.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{HANDLER_FILE.name} cannot be read: {error.strerror}",
            f"function.toml says that the handler is {HANDLER}: correct it, or write that file.",
        ) from error


def _with_layer(bundle: Bundle, wanted: Set[str], out: Path) -> Bundle:
    recipe = layer.recipe_sha256(wanted)
    layer_zip = _layer_already_built(out, recipe)
    if layer_zip is None:
        console.say("building the layer from layer/requirements.txt")
        layer_zip = layer.build_layer(wanted)
    manifest = replace(
        bundle.manifest,
        layer=Package.of(LAYER_PACKAGE, layer_zip),
        layer_lock_sha256=sha256_hex(LAYER_LOCK.read_bytes()),
        layer_recipe_sha256=recipe,
        dependencies=layer.locked_versions(),
    )
    return replace(bundle, manifest=manifest, layer_zip=layer_zip)


def check_source(source: bytes, name: str) -> None:
    """Compile `source` for the deployed Python; raise SourceError with the place if it does not.

    Raises UsageError if this Python is not the deployed one, for then it could not tell.
    """
    running = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if running != RUNTIME:
        raise UsageError(
            f"this is {running}, and the function is deployed to {RUNTIME}",
            "Run `make setup`, and use .venv/bin/python.",
        )
    try:
        compile(source, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        line, column = error.lineno or 1, error.offset or 1
        shown = (error.text or "").rstrip("\n")
        caret = re.sub(r"[^\t]", " ", shown[: column - 1]) + "^"
        raise SourceError(
            f"{name}:{line}:{column}: {error.msg}\n    {shown}\n    {caret}",
            "Mend it and build again; the bundle that was there is untouched.",
            file=name,
            line=line,
            column=column,
        ) from error


def _layer_already_built(out: Path, recipe: str) -> bytes | None:
    try:
        previous = Bundle.read(out)
    except BundleError:
        return None
    return previous.layer_zip if previous.manifest.layer_recipe_sha256 == recipe else None


def _commit() -> str | None:
    """Return the commit that is checked out, or None outside a git repository."""
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
