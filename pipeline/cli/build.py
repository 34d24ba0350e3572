"""build: from source to a bundle."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline import console, github
from pipeline.cli.help import examples
from pipeline.packaging.builder import build


@click.command("build", epilog=examples("build", "build --out other"))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("build"),
    show_default=True,
    help="Folder to write the bundle into.",
)
def command(out: Path) -> None:
    """Build the bundle from this source.

    It is the function package, the layer package if there is a layer, and the manifest: the same
    bytes everywhere.
    """
    bundle = build(out)
    for package in bundle.manifest.packages():
        console.say(f"{package.name}  {package.size_bytes:,} bytes  sha256 {package.sha256}")
    console.result(bundle.id)
    github.set_output("bundle", bundle.id)
