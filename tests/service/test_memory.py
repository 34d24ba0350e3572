"""A sample of the requests that `make fuzz` asks for as much memory as it can with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service import memory

pytestmark = pytest.mark.extended

_SAMPLE = (
    "find of a million numbers, plain",
    "16 MB of NaN, plain",
    "16 MB of objects with other names, extended",
)


def test_what_a_request_asks_for_fits_into_the_memory(built_bundle: Path, tmp_path: Path) -> None:
    """A container that needs more than its function has is ended, and its caller gets 502."""
    trees = memory.unpacked(built_bundle, tmp_path)
    with memory.database() as uri:
        found = {name: memory.outcome_of(memory.requests()[name], trees, uri) for name in _SAMPLE}
    assert {name: outcome for name, outcome in found.items() if not memory.fits(outcome)} == {}
