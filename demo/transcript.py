"""What the demo did, in a few lines: released, moved, rolled back, and who was answered by what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline import labels

_DIGITS = 12
_LABEL = 11


def lines(
    releases: Sequence[Mapping[str, Any]], answers: Mapping[int, Mapping[str, int]]
) -> list[str]:
    """Return the lines about releases, given as `releases --json` prints them, oldest first.

    `answers` are those that a client got while a release was made, by the release's number.
    """
    parts = []
    for release in sorted(releases, key=lambda each: int(each["release"])):
        number = release["release"]
        how = _restored(release) if release.get("restores") else _deployed(release)
        parts.append(f"{f'release {labels.release(number)}':{_LABEL}}{release['reason']!r}: {how}")
        if number in answers:
            parts.append(f"{'':{_LABEL}}meanwhile {counted(answers[number])}")
    return parts


def counted(answers: Mapping[str, int]) -> str:
    """Return how many answers each version gave, and how many calls failed."""
    versions = sorted(name for name in answers if name != "failed")
    text = ", ".join(f"{name}: {answers[name]:,}" for name in versions)
    return f"the client was answered by {text}; failed: {answers.get('failed', 0)}"


def _deployed(release: Mapping[str, Any]) -> str:
    steps = [phase["name"] for phase in release["phases"] if phase["name"].endswith("%")]
    of_calls = f", with {' and then '.join(steps)} of the calls" if steps else ""
    return f"bundle {release['bundle'][:_DIGITS]} as {labels.version(release['version'])}{of_calls}"


def _restored(release: Mapping[str, Any]) -> str:
    """A rollback begins with the preflight and the move of live."""
    seconds = 0.0
    for phase in release["phases"]:
        seconds += phase["seconds"]
        if phase["name"] == "switch":
            break
    return (
        f"release {labels.release(release['restores'])} again "
        f"({labels.version(release['version'])}), "
        f"traffic back after {seconds:.1f} s"
    )
