"""From source to a bundle, bit for bit the same on every machine."""

from __future__ import annotations

import subprocess
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
    HANDLER_PATH,
    LAYER,
    LAYER_LOCK,
    LAYER_PACKAGE,
    ROOT,
    RUNTIME,
)
from pipeline.errors import BundleError
from pipeline.packaging import function, handler_import, layer, zip_writer


def build(out: Path, runtime_packages: Path) -> Bundle:
    """Build the bundle into the folder `out` and return it.

    A layer that is already there and made by the same recipe is taken as it is. The handler is
    imported once, with the packages of AWS's runtime that `runtime_packages` holds. Raises
    SourceError, LayerError or HandlerImportError, and then leaves what is in `out` as it was.
    """
    files = function.read_files()
    wanted = imports.needs_from_layer(imports.imported_packages(files[HANDLER_PATH]))
    function_zip = zip_writer.write_zip(files)
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
    console.say(handler_import.try_import(bundle, runtime_packages))
    bundle.write(out)
    return bundle


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
