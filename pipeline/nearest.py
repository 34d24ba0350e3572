"""The nearest right answer to a wrong one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(given: str, known: Iterable[str], *, alike: float = 0.5) -> str:
    """Ask whether what is near was meant; "" if nothing is so much `alike` (0 to 1)."""
    near = get_close_matches(given, sorted(set(known)), cutoff=alike)
    return f"Did you mean {' or '.join(map(repr, near))}?" if near else ""
