"""What `deploy` says of the release that it replaces, and of the way back to it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.cli import deploy
from pipeline.config import Environment
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
    assert deploy._change_in_words(Environment("local"), before, _BUNDLE) == words


def test_at_the_end_stands_the_command_that_goes_back(capsys: pytest.CaptureFixture[str]) -> None:
    """A first release has none before it."""
    back = 'python -m pipeline rollback --environment local --to 7 --reason "..."'
    for before in (_BEFORE, None):
        deploy._tell(Environment("local"), _BUNDLE, Timeline(), _AFTER, before)
        assert (back in capsys.readouterr().err) == (before is not None)
