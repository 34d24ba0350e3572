"""How releases and versions are written, apart from each other: `#24` and `v16`."""

from __future__ import annotations


def release(number: int | None) -> str:
    """Return a release's number in the ledger as people read it: `#24`."""
    return f"#{'?' if number is None else number}"


def version(number: str | None) -> str:
    """Return a version of the function as people read it: `v16`, or `$LATEST`."""
    return f"v{number}" if number and number.isdigit() else number or "v?"
