"""build: from source to a bundle."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pipeline import github
from pipeline.cli import console
from pipeline.cli.help import examples
from pipeline.packaging.builder import build

# Where `make setup` installs them (`python -m localcloud install`).
RUNTIME_PACKAGES = Path(sys.prefix) / "share" / "localcloud" / "runtime"


@click.command("build", epilog=examples("build", "build --out other"))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("build"),
    show_default=True,
    help="Folder to write the bundle into.",
)
@click.option(
    "--runtime-packages",
    type=click.Path(file_okay=False, path_type=Path),
    default=RUNTIME_PACKAGES,
    envvar="LAMBDA_RUNTIME_PACKAGES",
    show_envvar=True,
    help="Folder with the packages of AWS's runtime, for a test import of the handler.",
)
def command(out: Path, runtime_packages: Path) -> None:
    """Build the deployment bundle.

    A bundle is the function package, the layer package if there is a layer, and the manifest. The
    same source gives the same bytes on every machine. On Linux with the architecture and the Python
    of the function, the handler is imported once from the built packages.
    """
    bundle = build(out, runtime_packages)
    for package in bundle.manifest.packages():
        console.say(f"{package.name}  {package.size_bytes:,} bytes  sha256 {package.sha256}")
    console.result(bundle.id)
    github.set_output("bundle", bundle.id)
