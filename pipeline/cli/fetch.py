"""fetch: write a stored bundle into a folder, with every digest verified."""

from __future__ import annotations

import re
from pathlib import Path

import click

from pipeline import aws
from pipeline.cli import console
from pipeline.bundle import store
from pipeline.errors import BundleError
from pipeline.cli.help import examples


@click.command("fetch", epilog=examples("fetch b5a98a1 --out old"))
@click.argument("bundle_id", metavar="BUNDLE")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder to write the bundle into.",
)
def command(bundle_id: str, out: Path) -> None:
    """Download a stored bundle.

    BUNDLE is the id of the bundle, or at least its first seven digits.
    """
    account = aws.connect()
    if not re.fullmatch(r"[0-9a-f]{7,64}", bundle_id):
        raise BundleError(
            f"{bundle_id} is not the id of a bundle",
            f"{store.nearest_ids(account, bundle_id)}\n"
            "An id has 64 digits, and the first seven are enough. `releases` lists the bundles of "
            "an environment.".strip(),
        )
    bundle = store.load(account, bundle_id)
    if not bundle.id.startswith(bundle_id):
        raise BundleError(
            f"{bundle_id} is a local folder that contains a different bundle",
            "Run this from another folder, or give the full id.",
        )
    bundle.write(out)
    console.result(bundle.id)
