"""page: the releases of an environment as one HTML file, which needs no network."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pipeline import aws
from pipeline.cli import console
from pipeline.report.release_page import collect, data, html
from pipeline.cli.options import environment_option
from pipeline.config import Environment
from pipeline.errors import UsageError
from pipeline.cli.help import examples
from pipeline.target import Target

_NAME = "index.html"


@click.command("page", epilog=examples("page --environment production --out page"))
@environment_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help=f"Folder to write {_NAME} into.",
)
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True),
    default=720,
    show_default=True,
    help="Hours of the function's log to read.",
)
def command(environment: Environment, out: Path, hours: float) -> None:
    """Write the release page.

    An HTML page with the live release, all releases, and the commands that roll back.
    """
    _make(out)
    facts = collect.collect(Target(aws.connect(), environment), hours)
    page = html.page(environment, data.document(facts))
    size_bytes = _write(out / _NAME, page)
    count = len(facts.releases)
    console.result(
        f"{out / _NAME}: {count:,} release{'s' if count != 1 else ''} of {environment.name}, "
        f"{size_bytes:,} bytes"
    )


def _make(folder: Path) -> None:
    """Create the folder before AWS is called. Raises UsageError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from error


def _write(path: Path, text: str) -> int:
    """Write a file atomically, and return its size in bytes."""
    content = text.encode()
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise _unusable(path.parent, error) from error
    return len(content)


def _unusable(folder: Path, error: OSError) -> UsageError:
    return UsageError(
        f"the page cannot be written into {folder}: {error.strerror}",
        "Use a writable folder for --out. It is created if it does not exist.",
    )
