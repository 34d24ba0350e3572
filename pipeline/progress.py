"""How far a step has come, for whoever watches. The command line draws it; here it is reported.

Messages go to the logger `pipeline`, which the command line prints: information, and warnings.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext


class Bar:
    """A step that nobody watches."""

    def update(self, done: float, words: str, *, total: float | None = None) -> None:
        """Report how much of the step's total is done, with a short description."""


type Renderer = Callable[[str, float | None], AbstractContextManager[Bar]]


def _unwatched(_: str, __: float | None) -> AbstractContextManager[Bar]:
    return nullcontext(Bar())


_renderer: Renderer = _unwatched


def render_with(renderer: Renderer) -> None:
    """Let `renderer` draw all steps from now on."""
    global _renderer
    _renderer = renderer


def step(doing: str, total: float | None = None) -> AbstractContextManager[Bar]:
    """Report a step; without a `total` only that it goes on."""
    return _renderer(doing, total)
