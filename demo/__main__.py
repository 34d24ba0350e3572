"""python -m demo: the demo, from the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from demo import run
from localcloud import downloads, lifecycle, processes

# Their messages say what happened and what to do; a traceback would only hide that.
_EXPECTED = (
    downloads.DownloadMissingError,
    processes.NotStartedError,
    lifecycle.NotRunningError,
    run.DemoFailedError,
)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--page",
    type=click.Path(file_okay=False, path_type=Path, resolve_path=True),
    default=run.PAGE,
    help="Folder for the release page, which stays.  [default: page/demo]",
)
def demo(page: Path) -> None:
    """Deploy a change to a running function, and roll it back."""
    try:
        run.run(page)
    except _EXPECTED as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(1)


demo(prog_name="python -m demo")
