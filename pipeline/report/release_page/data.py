"""The release page's data as JSON. What repeats is in lists, and referred to by its index."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline import runtimes
from pipeline.bundle.manifest import Manifest, Package
from pipeline.release.ledger import Release
from pipeline.markdown import one_line, printable
from pipeline.traffic.statistics import Figures
from pipeline.report.release_page.collect import ReleaseHistory
from pipeline.config import SERVICE
from pipeline.release.rollback_target import may_be_asked_for
from pipeline.release.outcome import how_to_roll_back

# What the page puts the number of a release in the place of.
NUMBER = "{release}"

# As many digits of a file's or package's digest as people compare.
_DIGITS = 12


@dataclass
class _Numbered:
    """A list in which nothing is twice."""

    entries: list[Any] = field(default_factory=list)
    _numbers: dict[Hashable, int] = field(default_factory=dict)

    def knows(self, key: Hashable) -> bool:
        return key in self._numbers

    def add(self, key: Hashable, entry: Any) -> int:
        """Return the number of the entry with this key, which it gets when it is first named."""
        if key not in self._numbers:
            self._numbers[key] = len(self.entries)
            self.entries.append(entry)
        return self._numbers[key]

    def number(self, key: Hashable) -> int:
        return self._numbers[key]


def document(history: ReleaseHistory) -> dict[str, Any]:
    """Return all data of the page, ready for JSON. What is unknown is left out.

    Text that people wrote is free of credentials and of characters that change its display; it
    is text all the same, and may look like markup.
    """
    lists = _Lists(history)
    releases = [_release(history, release, lists) for release in history.releases]
    live = history.live
    return {
        "service": SERVICE,
        "environment": history.environment.name,
        "made": _moment(history.made),
        "hours": history.hours,
        "live": _known(version=live.version, weights=live.weights) if live else None,
        "serving": history.serving.number if history.serving else None,
        "wayBack": history.way_back,
        "states": [
            {"name": state.name, "sentence": printable(state.sentence), "command": state.command}
            for state in history.states
        ],
        "rollback": how_to_roll_back(history.environment, NUMBER),
        "releases": releases,
        "phases": lists.phases.entries,
        "bundles": lists.bundles.entries,
        "packages": lists.packages.entries,
        "files": lists.files.entries,
    }


class _Lists:
    """What releases have in common: bundles, their packages, their files, names of phases."""

    def __init__(self, history: ReleaseHistory) -> None:
        self._context = history
        self.bundles, self.packages, self.files = _Numbered(), _Numbered(), _Numbered()
        self.phases = _Numbered()

    def bundle(self, bundle_id: str) -> int:
        if self.bundles.knows(bundle_id):
            return self.bundles.number(bundle_id)
        manifest = self._context.manifests.get(bundle_id)
        quarantined = self._context.quarantined.get(bundle_id)
        entry = _known(id=one_line(bundle_id), quarantined=quarantined)
        return self.bundles.add(bundle_id, entry | (self._manifest(manifest) if manifest else {}))

    def _manifest(self, manifest: Manifest) -> dict[str, Any]:
        return {
            "runtime": manifest.runtime,
            "handler": manifest.handler,
            "architecture": manifest.architecture,
            "needs": dict(sorted(manifest.dependencies.items())),
            "packages": [self._package(package) for package in manifest.packages()],
        }

    def _package(self, package: Package) -> int:
        if self.packages.knows(package.sha256):
            return self.packages.number(package.sha256)
        files = [
            self.files.add(file, [file.path, file.size_bytes, file.sha256[:_DIGITS]])
            for file in package.files
        ]
        entry = {
            "name": package.name,
            "size": package.size_bytes,
            "unzipped": package.unzipped_bytes,
            "sha256": package.sha256[:_DIGITS],
            "files": files,
        }
        return self.packages.add(package.sha256, entry)


def _release(history: ReleaseHistory, release: Release, lists: _Lists) -> dict[str, Any]:
    figures = history.figures.get(release.number)
    return _known(
        number=release.number,
        kind=release.kind,
        outcome=release.outcome,
        bundle=lists.bundle(release.bundle),
        version=release.version,
        restores=release.restores,
        began=_moment(release.began),
        ended=_moment(release.ended) if release.ended else None,
        actor=one_line(release.actor),
        commit=one_line(release.commit) if release.commit else None,
        run=one_line(release.run) if release.run else None,
        reason=one_line(release.reason) if release.reason else None,
        error=printable(release.error) if release.error else None,
        overrides=[one_line(override) for override in release.overrides] or None,
        phases=[
            [lists.phases.add(phase.name, phase.name), phase.seconds] for phase in release.phases
        ],
        figures=_figures(figures) if figures else None,
        restore=_restore(history, release),
    )


def _figures(figures: Figures) -> dict[str, Any]:
    return _known(
        calls=figures.invocations,
        errors=figures.errors,
        unknown=figures.unknown or None,
        cold=figures.cold_starts,
        init=figures.init_duration_p50_ms,
    )


def _restore(history: ReleaseHistory, release: Release) -> bool | str | None:
    """Return whether a release can be restored by number: True, why not, None if it never could."""
    if history.serving is None or release.number >= history.serving.number:
        return None
    if release.outcome != "succeeded":
        return None
    manifest = history.manifests.get(release.bundle)
    if not may_be_asked_for(release, history.serving):
        return f"Version {release.version} serves already."
    if manifest is None:
        return "Its bundle is damaged in the store, or missing."
    if runtimes.updates_are_blocked(manifest.runtime, datetime.now(UTC).date()):
        return f"AWS takes no more updates of functions on {manifest.runtime}."
    return True


def _moment(iso: str) -> str:
    return f"{iso[:19]}Z"


def _known(**entries: Any) -> dict[str, Any]:
    return {name: value for name, value in entries.items() if value is not None}
