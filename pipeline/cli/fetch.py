"""fetch: write a stored bundle into a folder, with every digest verified."""

from __future__ import annotations

import re
from pathlib import Path

import click

from pipeline import aws, console
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
    """Write a stored bundle into a folder.

    BUNDLE is its id, or the start of it.
    """
    account = aws.connect()
    if not re.fullmatch(r"[0-9a-f]{7,64}", bundle_id):
        raise BundleError(
            f"{bundle_id} is not the id of a bundle",
            f"{store.nearest_ids(account, bundle_id)}\n"
            "An id is 64 digits, of which the first seven are enough: `python -m pipeline releases`"
            " lists those that were deployed.".strip(),
        )
    bundle = store.load(account, bundle_id)
    if not bundle.id.startswith(bundle_id):
        raise BundleError(f"{bundle_id} is a folder here, with another bundle", "Start elsewhere.")
    bundle.write(out)
    console.result(bundle.id)
