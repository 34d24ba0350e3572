"""quarantine: show whether a bundle is in quarantine."""

from __future__ import annotations

import click

from pipeline import aws, console, github
from pipeline.bundle import store
from pipeline.cli.help import examples
from pipeline.cli.options import environment_option
from pipeline.config import Environment
from pipeline.release.quarantine import warning


@click.command("quarantine", epilog=examples("quarantine --environment production b5a98a1"))
@environment_option
@click.argument("reference", metavar="BUNDLE")
def command(environment: Environment, reference: str) -> None:
    """Show whether a bundle is in quarantine.

    BUNDLE is the folder of a bundle, or the id of a stored bundle.
    """
    account = aws.connect()
    bundle = store.load(account, reference)
    text = warning(account, environment, bundle.id)
    if text:
        console.notice(text)
    else:
        console.result(f"bundle {bundle.id[:12]} is not in quarantine in {environment.name}")
    github.set_output("quarantined", str(text is not None).lower())
