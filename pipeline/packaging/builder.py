"""From source to a bundle, bit for bit the same on every machine."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipeline import commit
from pipeline.bundle.manifest import Bundle, Manifest, Package, sha256_hex
from pipeline.config import (
    ARCHITECTURE,
    FUNCTION_PACKAGE,
    HANDLER,
    LAYER,
    LAYER_LOCK,
    LAYER_PACKAGE,
    ROOT,
    RUNTIME,
)
from pipeline.errors import BundleError
from pipeline.packaging import function, handler_import, layer, zip_writer
from pipeline.packaging.layer import Layer
from pipeline.packaging.lock import Lock

log = logging.getLogger(__name__)


def build(out: Path, runtime_packages: Path) -> Bundle:
    """Build the bundle into the folder `out` and return it.

    A layer that is already there and made by the same recipe is taken as it is. The handler is
    imported once, with the packages of AWS's runtime that `runtime_packages` holds. Raises
    SourceError, LayerError or HandlerImportError, and then leaves what is in `out` as it was.
    """
    files = function.read_files()
    function_zip = zip_writer.write_zip(files)
    manifest = Manifest(
        function=Package.of(FUNCTION_PACKAGE, function_zip),
        layer=None,
        layer_lock_sha256=None,
        handler=HANDLER,
        runtime=RUNTIME,
        architecture=ARCHITECTURE,
        commit=commit.of_tree(),
        layer_recipe_sha256=None,
        dependencies={},
    )
    bundle = Bundle(manifest, function_zip, None)
    if LAYER:
        bundle = _with_layer(bundle, files, out)
    log.info(handler_import.try_import(bundle, runtime_packages))
    bundle.write(out)
    return bundle


def _with_layer(bundle: Bundle, files: Mapping[str, bytes], out: Path) -> Bundle:
    lock = Lock(LAYER_LOCK)
    recipe = layer.recipe_sha256(lock, files)
    built = _layer_already_built(out, recipe)
    if built is None:
        log.info(f"building the layer from {LAYER_LOCK.relative_to(ROOT)}")
        built = layer.build_layer(lock, files)
        if built.left_out:
            log.info(f"left out by function.toml: {built.left_out}")
    manifest = replace(
        bundle.manifest,
        layer=Package.of(LAYER_PACKAGE, built.archive),
        layer_lock_sha256=sha256_hex(lock.text.encode()),
        layer_recipe_sha256=recipe,
        dependencies=built.dependencies,
        own_files=built.own_files,
    )
    return replace(bundle, manifest=manifest, layer_zip=built.archive)


def _layer_already_built(out: Path, recipe: str) -> Layer | None:
    try:
        previous = Bundle.read(out)
    except BundleError:
        return None
    manifest = previous.manifest
    if previous.layer_zip is None or manifest.layer_recipe_sha256 != recipe:
        return None
    return Layer(previous.layer_zip, manifest.dependencies, manifest.own_files)
