"""python -m localcloud up|down|status: this machine's own cloud."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from localcloud import downloads, lifecycle, processes

# Their messages say what happened and what to do; a traceback would only hide that.
_EXPECTED = (downloads.DownloadMissingError, processes.NotStartedError, lifecycle.NotRunningError)

_folder = click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path, resolve_path=True),
    default=Path(".localcloud"),
    show_default=True,
    help="Folder for its files.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def localcloud() -> None:
    """Run AWS, the Lambda runtime, the HTTP front and MongoDB on this machine."""


@localcloud.command()
def install() -> None:
    """Fetch the runtime emulator and the runtime's packages (`up` does it too)."""
    downloads.install()


@localcloud.command()
@_folder
def up(folder: Path) -> None:
    """Start everything, and write <dir>/env for a shell to source."""
    started = lifecycle.up(folder)
    print(f"localcloud {'is up' if started else 'was up already'}. In a shell: . {folder}/env")


@localcloud.command()
@_folder
def down(folder: Path) -> None:
    """Stop everything, and remove its files. Safe to repeat."""
    print("localcloud is down" if lifecycle.down(folder) else "localcloud was not running")


@localcloud.command()
@_folder
def status(folder: Path) -> None:
    """Print whether it is up. Exits with 1 if not."""
    if not lifecycle.is_up(folder):
        print(f"localcloud is not up in {folder}")
        sys.exit(1)
    print(f"localcloud is up in {folder}")


@localcloud.command(hidden=True)
@_folder
def serve(folder: Path) -> None:
    """Be the server, in the foreground."""
    # Imported here: moto takes a second to import, and the other commands do without.
    from localcloud.server import serve as run

    lifecycle.hold(folder)
    run(folder)


def main() -> None:
    try:
        localcloud(prog_name="python -m localcloud")
    except _EXPECTED as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(1)


main()
