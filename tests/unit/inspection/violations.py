"""Violations of the inspection's rules, each registered with its expected finding."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.inspection.inspector import inspect_bundle
from pipeline.inspection.rules import Rule
from tests.unit.inspection.malicious_zip import (
    Draft,
)

TODAY = datetime.date(2026, 11, 23)
PYMONGO = "python/pymongo/__init__.py"
BYTECODE = "python/pymongo/late.pyc"
EXTENSION = "python/pymongo/_c.cpython-313-x86_64-linux-gnu.so"


@dataclass
class Break:
    """A way to break `rule`, and where that is to be reported."""

    rule: Rule
    package: str
    path: str | None
    apply: Callable[[Draft], None]
    line: int | None = None
    today: datetime.date = TODAY


BREAKS: list[Break] = []


def breaks(
    rule: Rule,
    package: str,
    path: str | None = None,
    line: int | None = None,
    today: datetime.date = TODAY,
) -> Callable[[Callable[[Draft], None]], Callable[[Draft], None]]:
    """Register a function that breaks `rule` in a sound draft."""

    def register(function: Callable[[Draft], None]) -> Callable[[Draft], None]:
        BREAKS.append(Break(rule, package, path, function, line, today))
        return function

    return register


def found(
    folder: Path, today: datetime.date = TODAY
) -> list[tuple[str, str, str | None, int | None]]:
    report = inspect_bundle(folder, today)
    return [(f.rule.id, f.package, f.path, f.line) for f in report.findings]
