"""What differs in two bundles, by their manifests."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.bundle.manifest import Manifest, Package


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
