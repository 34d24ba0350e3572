"""Text of any origin in Markdown, without active tags, links, mentions, or credentials."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.secret_scan import CredentialScanner


def one_line(text: str) -> str:
    """Return text as one line that everybody may read, on a page or in a log."""
    return " ".join(printable(text).split())


def code(text: str) -> str:
    """Return text as code in a line, which shows all there is and obeys nothing.

    It is fenced by more backticks than it holds: https://spec.commonmark.org/0.31.2/#code-spans
    """
    line = one_line(text) or "-"
    fence = _fence(line, 1)
    space = " " if "`" in (line[0], line[-1]) else ""
    return f"{fence}{space}{line}{space}{fence}"


def block(lines: Iterable[str]) -> str:
    """Return lines as a block of code."""
    text = printable("\n".join(lines))
    fence = _fence(text, 3)
    return f"{fence}\n{text}\n{fence}"


def bullets(items: Iterable[str]) -> str:
    """Return a list of what is Markdown already."""
    return "\n".join(f"- {item}" for item in items)


def _fence(text: str, least: int) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(least, longest + 1)


def printable(text: str) -> str:
    """Return text without credentials and without characters that change its display."""
    scanner = CredentialScanner(third_party=False)
    scanner.feed(text.encode(errors="replace"))
    if found := scanner.finish():
        return f"(left out, because it looks like a credential: {', '.join(found)})"
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)
