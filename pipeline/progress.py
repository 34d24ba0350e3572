"""How far a long step has come: a bar on a terminal, which goes when the step ends.

Anywhere else there is nothing: a log is what is said, line by line.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline import output

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bar:
    """One step's bar, or what stands for it where nobody would see one."""

    def __init__(self, shown: Progress | None = None, task: TaskID | None = None) -> None:
        self._shown = shown
        self._task = task

    def update(self, done: float, words: str, *, total: float | None = None) -> None:
        """Say how much of the step's total is done, and in words what there is to know."""
        if self._shown and self._task is not None:
            self._shown.update(self._task, completed=done, total=total, words=words)


@contextmanager
def step(doing: str, total: float | None = None) -> Iterator[Bar]:
    """Show how far a step has come; without a `total` only that it goes on."""
    console = output.terminal()
    if console is None:
        yield Bar()
        return
    # Only where there is a terminal: it takes a while to import.
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    shown = Progress(
        TextColumn("{task.description:<8}", markup=False),
        BarColumn(24),
        # What does not fit is cut off: a line that went over the edge would stay behind.
        TextColumn(
            "{task.fields[words]}", markup=False, table_column=Column(no_wrap=True, ratio=1)
        ),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        expand=True,
        # Standard output may go elsewhere, and nothing but `output` writes to standard error.
        redirect_stdout=False,
        redirect_stderr=False,
    )
    # Ctrl-C may come just when the bar comes or goes.
    atexit.unregister(console.show_cursor)
    atexit.register(console.show_cursor)
    try:
        shown.start()
        yield Bar(shown, shown.add_task(doing, total=total, words=""))
    finally:
        shown.stop()
