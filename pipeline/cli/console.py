"""What people see: progress and errors on standard error, results on standard output."""

from __future__ import annotations

import atexit
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline import github, progress
from pipeline.errors import PipelineError
from pipeline.progress import Bar
from pipeline.timeline import Timeline

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

# Lines are not wrapped, so that a log can be searched; without a terminal a table is wide.
_LOG_WIDTH = 200
_out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else _LOG_WIDTH)
_err = Console(soft_wrap=True, highlight=False, stderr=True)


def terminal() -> Console | None:
    """Return the console that something can move on, or None where lines are all there is.

    Other output has to use the same console while something moves on it.
    """
    # Rich takes a variable's word for it that there is a terminal (FORCE_COLOR).
    moves = sys.stderr.isatty() and _err.is_interactive and not github.in_actions()
    return _err if moves else None


def say(line: str, style: str = "") -> None:
    """Print one line of progress for people."""
    _err.print(Text(line, style=style))


def notice(text: str) -> None:
    """Print what matters though nothing failed; on GitHub, also as an annotation."""
    say(text, "yellow")
    if github.in_actions():
        print(github.annotation(text, level="notice"), file=sys.stderr)


def result(text: str) -> None:
    """Print a result as it is."""
    _out.print(Text(text))


def result_json(document: Any) -> None:
    """Print a result for machines."""
    print(json.dumps(document, indent=2))


def table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print rows under columns."""
    grid = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*row)
    _out.print(grid)


def timeline(measured: Timeline) -> None:
    """Print how long each phase took."""
    rows = [[phase.name, f"{phase.seconds:.1f}"] for phase in measured.phases]
    rows.append(["total", f"{measured.seconds:.1f}"])
    table("", ["phase", "seconds"], rows)


class _Handler(logging.Handler):
    """Prints what the pipeline logs, a warning in yellow."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage(), "yellow" if record.levelno >= logging.WARNING else "")


def attach() -> None:
    """Print what the pipeline logs and how far its steps are, from now on."""
    log = logging.getLogger("pipeline")
    log.handlers = [_Handler()]
    log.setLevel(logging.INFO)
    progress.render_with(step)


def error(problem: PipelineError) -> None:
    """Print what happened and what to do, and annotate the place on GitHub."""
    _err.print(Text.assemble((f"error[{problem.id}]", "bold red"), f": {problem.message}"))
    if problem.traffic:
        _err.print(Text.assemble(("traffic: ", "bold"), problem.traffic))
    if problem.hint:
        _err.print(Text.assemble(("hint: ", "bold"), (problem.hint, "yellow")))
    if problem.command:
        _err.print(Text.assemble(("run: ", "bold"), problem.command))
    if github.in_actions():
        mark = github.annotation(
            problem.message, file=problem.file, line=problem.line, column=problem.column
        )
        # Standard output is for results; GitHub reads commands off either.
        print(mark, file=sys.stderr)


class _DrawnBar(Bar):
    """A step's bar on a terminal."""

    def __init__(self, display: Progress, task: TaskID) -> None:
        self._display = display
        self._task = task

    def update(self, done: float, words: str, *, total: float | None = None) -> None:
        self._display.update(self._task, completed=done, total=total, words=words)


@contextmanager
def step(doing: str, total: float | None) -> Iterator[Bar]:
    """Show how far a step has come; without a `total` only that it goes on."""
    screen = terminal()
    if screen is None:
        yield Bar()
        return
    # Only where there is a terminal: it takes a while to import.
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    displayed = Progress(
        TextColumn("{task.description:<8}", markup=False),
        BarColumn(24),
        # What does not fit is cut off: a line that went over the edge would stay behind.
        TextColumn(
            "{task.fields[words]}", markup=False, table_column=Column(no_wrap=True, ratio=1)
        ),
        TimeElapsedColumn(),
        console=screen,
        transient=True,
        expand=True,
        # Standard output may go elsewhere, and nothing but this module writes to standard error.
        redirect_stdout=False,
        redirect_stderr=False,
    )
    # Ctrl-C may come just when the bar comes or goes.
    atexit.unregister(screen.show_cursor)
    atexit.register(screen.show_cursor)
    try:
        displayed.start()
        yield _DrawnBar(displayed, displayed.add_task(doing, total=total, words=""))
    finally:
        displayed.stop()
