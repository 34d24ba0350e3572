"""Examples of a command's use, for its help. The tests run each through the command line."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """Return the end of a command's help. Each line is what follows `python -m pipeline`."""
    # click leaves a paragraph after \b as it is.
    return "\b\n" + "\n".join(["Examples:", *(f"  python -m pipeline {line}" for line in lines)])
