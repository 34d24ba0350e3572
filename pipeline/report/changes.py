"""What differs in two bundles, by their manifests."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline import labels
from pipeline.bundle.manifest import Manifest, Package
from pipeline.release.ledger import Release


def dependencies(before: Manifest | None, after: Manifest) -> Iterator[str]:
    """Yield the dependencies that are locked to another version, with both versions.

    Without a bundle before, yield nothing.
    """
    if before is None:
        return
    old, new = before.dependencies, after.dependencies
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"{name}: {old.get(name, 'none')} → {new.get(name, 'none')}"


def heading(environment: str, serving: Release | None, after: Manifest) -> str:
    """Return which release and bundle serve, and the bundle that replaces it."""
    before = "no release"
    if serving:
        before = f"release {serving.label}, {labels.version(serving.version)}, "
        before += f"bundle {serving.bundle[:12]}"
    return f"{environment}: {before} -> bundle {after.id[:12]}"


def between(before: Manifest | None, after: Manifest) -> Iterator[str]:
    """Yield what differs in two bundles, a line each: files of the function, and dependencies.

    Without a bundle before, yield nothing.
    """
    if before is None:
        return
    if before.function.sha256 != after.function.sha256:
        yield from (f"code: {each}" for each in files(before.function, after.function))
    yield from (f"dependency: {each}" for each in dependencies(before, after))


def files(old: Package, new: Package) -> Iterator[str]:
    """Yield what differs in two packages, and how.

    The many files of a dependency count as one, by its name.
    """
    before, after = ({file.path: file.sha256 for file in one.files} for one in (old, new))
    parts: dict[str, set[str]] = {}
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            how = "changed" if path in before and path in after else "added"
            how = "removed" if path not in after else how
            # A layer's files are in python/<dependency>/.
            part = path.split("/")[1] if path.startswith("python/") else path
            parts.setdefault(part, set()).add(how)
    for part, ways in parts.items():
        yield f"{part} {'changed' if len(ways) > 1 else min(ways)}"
