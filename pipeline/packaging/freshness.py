"""Whether a bundle was built from the source that is here, by content: times prove little."""

from __future__ import annotations

from pathlib import Path

from pipeline.bundle.manifest import Manifest, sha256_hex
from pipeline.config import LAYER, LAYER_LOCK
from pipeline.errors import UsageError
from pipeline.packaging import function


def differences(manifest: Manifest) -> list[str]:
    """Return the names of what is different here: files of the function, and the layer's lock file.

    There are none where the function's source is not here at all.
    """
    built = {file.path: file.sha256 for file in manifest.function.files}
    try:
        here = {path: sha256_hex(content) for path, content in function.read_contents().items()}
    except UsageError:
        return []
    names = [path for path in sorted(built | here) if built.get(path) != here.get(path)]
    lock = sha256_hex(LAYER_LOCK.read_bytes()) if LAYER and LAYER_LOCK.is_file() else None
    return names + ([LAYER_LOCK.name] if lock != manifest.layer_lock_sha256 else [])


def warning(reference: str, manifest: Manifest) -> str | None:
    """Return that a folder's bundle was built from other source than is here.

    None if it was not, or if the `reference` is the id of a stored bundle.
    """
    names = differences(manifest) if Path(reference).is_dir() else []
    if not names:
        return None
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (
        f"{reference} was built from other source (different: {', '.join(names[:3])}{more}). "
        "To build it from what is here, run: python -m pipeline build"
    )
