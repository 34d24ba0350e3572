"""The nearest right answer to a wrong one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return the question whether one of those that are near was meant; "" if none is."""
    # Ids are digits, of which any two share many: what is near differs in a quarter at most.
    near = get_close_matches(given, sorted(set(known)), cutoff=0.75)
    return f"Did you mean {' or '.join(near)}?" if near else ""
