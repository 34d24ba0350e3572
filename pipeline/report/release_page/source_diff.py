"""What differs in the source of two function packages, line by line."""

from __future__ import annotations

import difflib
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# A longer difference is read where the source is, not on a page of releases.
_MOST_LINES = 200


@dataclass(frozen=True)
class FileDifference:
    """A text file that differs: how many lines were added and removed, and the unified diff.

    `lines` are those of the diff without its header, at most 200.
    """

    path: str
    added: int
    removed: int
    lines: tuple[str, ...]


def compare(old_zip: bytes, new_zip: bytes) -> tuple[FileDifference, ...]:
    """Return the text files that differ between two zips. Files that are not UTF-8 are left out."""
    before, after = _texts(old_zip), _texts(new_zip)
    return tuple(_differences(before, after))


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[FileDifference]:
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path, "").splitlines(), after.get(path, "").splitlines()
        lines = list(difflib.unified_diff(old, new, n=2, lineterm=""))[2:]
        if lines:
            signs = [line[0] for line in lines]
            yield FileDifference(
                path, signs.count("+"), signs.count("-"), tuple(lines[:_MOST_LINES])
            )


def _texts(archive: bytes) -> dict[str, str]:
    texts = {}
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        for name in opened.namelist():
            content = opened.read(name)
            try:
                texts[name] = content.decode()
            except UnicodeDecodeError:
                continue
    return texts
