"""The release page's data as JSON. What repeats is in lists, and referred to by its index."""

from __future__ import annotations

import re
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
from pipeline.release.state import State

# What the page puts the number of a release in the place of.
NUMBER = "{release}"

# As many digits of a file's or package's digest as people compare.
_DIGITS = 12
# So many releases are named in a sentence.
_NAMED = 3
_RUN = re.compile(r"(https://[\w.-]+/[\w.-]+/[\w.-]+)/actions/runs/\d+")


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
    return {
        "service": SERVICE,
        "environment": history.environment.name,
        "made": _moment(history.made),
        "hours": history.hours,
        "route": history.found.route,
        "shares": [
            _known(
                version=share.version,
                percent=round(share.percent, 4),
                release=share.release.number if share.release else None,
            )
            for share in history.found.shares
        ],
        "states": [_state(found) for found in history.states],
        "serving": history.serving.number if history.serving else None,
        "wayBack": history.way_back,
        "noWayBack": _why_no_way_back(history) if history.way_back is None else None,
        "links": dict(history.links),
        "repository": _repository(history),
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
        subject=one_line(release.subject) if release.subject else None,
        run=one_line(release.run) if release.run else None,
        reason=one_line(release.reason) if release.reason else None,
        error=printable(release.error) if release.error else None,
        overrides=[one_line(override) for override in release.overrides] or None,
        phases=[
            [lists.phases.add(phase.name, phase.name), phase.seconds] for phase in release.phases
        ],
        figures=_figures(figures) if figures else None,
        restore=_restore(history, release),
        source=_source(history, release),
    )


def _source(history: ReleaseHistory, release: Release) -> list[dict[str, Any]] | None:
    """Return how the source differs from that of the release before, None if that is unknown.

    The lines themselves are on the page only where there is no repository to link to: whoever may
    read the page of a private repository need not be allowed to read its source.
    """
    found = history.source.get(release.number)
    if found is None:
        return None
    with_lines = _repository(history) is None
    return [
        _known(
            path=one_line(file.path),
            added=file.added,
            removed=file.removed,
            lines=printable("\n".join(file.lines)).split("\n") if with_lines else None,
        )
        for file in found
    ]


def _repository(history: ReleaseHistory) -> str | None:
    """Return the address of the repository on GitHub, by the newest release that a job made."""
    runs = (_RUN.match(release.run) for release in history.releases if release.run)
    return next((run[1] for run in runs if run), None)


def _state(found: State) -> dict[str, Any]:
    return _known(
        name=found.name,
        sentence=one_line(found.sentence),
        command=one_line(found.command),
        believe=one_line(found.believe) or None,
        otherwise=one_line(found.otherwise) or None,
    )


def _why_no_way_back(history: ReleaseHistory) -> str:
    """Return why a rollback without a number has nothing to restore."""
    current = history.serving
    if current is None:
        return "No release has succeeded yet."
    if history.found.route == "moved":
        return "First decide which version is to serve: see above."
    restored = current.restores or current.number
    earlier = [
        release
        for release in history.releases
        if release.outcome == "succeeded" and release.number < restored
    ]
    if not earlier:
        return f"#{restored} is the first release that succeeded."
    others = [release for release in earlier if release.bundle != current.bundle]
    if not others:
        return (
            f"#{earlier[0].number} has the same bundle, and only other settings. "
            "It can be restored by its number."
        )
    numbers = ", ".join(f"#{release.number}" for release in others[:_NAMED])
    are = "are" if len(others) > 1 else "is"
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return f"{numbers}{more} {are} in quarantine. A person can restore a release by its number."


def _figures(figures: Figures) -> dict[str, Any]:
    return _known(
        calls=figures.invocations,
        errors=figures.errors,
        unknown=figures.unknown or None,
        cold=figures.cold_starts,
        init=figures.init_duration_p50_ms,
        p95=figures.duration_p95_ms,
        memory=figures.memory_used_mb,
    )


def _restore(history: ReleaseHistory, release: Release) -> bool | str | None:
    """Return whether a release can be restored by number: True, why not, None if it never could."""
    if history.serving is None or release.number >= history.serving.number:
        return None
    if release.outcome != "succeeded":
        return None
    manifest = history.manifests.get(release.bundle)
    if not may_be_asked_for(release, history.serving):
        return f"v{release.version} serves already."
    if manifest is None:
        return "Its bundle is damaged in the store, or missing."
    if runtimes.updates_are_blocked(manifest.runtime, datetime.now(UTC).date()):
        return f"AWS takes no more updates of functions on {manifest.runtime}."
    return True


def _moment(iso: str) -> str:
    return f"{iso[:19]}Z"


def _known(**entries: Any) -> dict[str, Any]:
    return {name: value for name, value in entries.items() if value is not None}
