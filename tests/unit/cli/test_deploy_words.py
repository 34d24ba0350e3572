"""What `deploy` says of the release that it replaces, and of the way back to it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.bundle.manifest import File, Package
from pipeline.cli import deploy
from pipeline.config import Environment
from pipeline.report import changes
from pipeline.timeline import Timeline
from tests.support.environments import deployment

_BUNDLE: Any = SimpleNamespace(id="b" * 64)
_BEFORE = replace(deployment(7, "5"), bundle="a" * 64)
_AFTER = deployment(8, "6")


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (_BEFORE, f"local: release #7, v5, bundle {'a' * 12} -> bundle {'b' * 12}"),
        (None, f"local: no release -> bundle {'b' * 12}"),
    ],
)
def test_what_is_replaced_is_named_beside_what_replaces_it(before: Any, words: str) -> None:
    assert changes.heading("local", before, _BUNDLE) == words


def test_files_and_dependencies_that_change_are_named() -> None:
    old = _manifest({"a.py": "1", "b.py": "1"}, {"bson": "1.0", "dns": "2.7"})
    new = _manifest({"a.py": "2", "c.py": "1"}, {"bson": "1.0", "dns": "2.8"})
    assert list(changes.between(old, new)) == [
        "code: a.py changed",
        "code: b.py removed",
        "code: c.py added",
        "dependency: dns: 2.7 → 2.8",
    ]
    assert list(changes.between(old, old)) == list(changes.between(None, new)) == []


def _manifest(files: dict[str, str], dependencies: dict[str, str]) -> Any:
    package = Package("f.zip", 1, str(files), tuple(File(*(n, 1, d)) for n, d in files.items()))
    return SimpleNamespace(function=package, dependencies=dependencies)


def test_at_the_end_stands_the_command_that_goes_back(capsys: pytest.CaptureFixture[str]) -> None:
    """A first release has none before it. The API's URL is there, too."""
    back = 'python -m pipeline rollback --environment local --to 7 --reason "..."'
    for before in (_BEFORE, None):
        context: Any = SimpleNamespace(
            timeline=Timeline(), serving=before, urls=("https://api.example.com",)
        )
        deploy._tell(Environment("local"), _BUNDLE, context, _AFTER)
        printed = capsys.readouterr().err
        assert (back in printed) == (before is not None)
        assert "API      https://api.example.com\n" in printed
