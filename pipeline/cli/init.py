"""init: make this copy of the repository that of another function."""

from __future__ import annotations

import re

import click

from pipeline import scaffold
from pipeline.cli import console
from pipeline.cli.help import examples
from pipeline.function_file import FUNCTION


@click.command("init", epilog=examples("init orders", "init orders --kind fastapi"))
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(scaffold.KINDS),
    default=scaffold.KINDS[0],
    show_default=True,
    help="Template of the handler.",
)
def command(name: str, kind: str) -> None:
    """Set up this repository for your own function NAME.

    Removes the code, tests and benchmarks of mongo-client, and writes a working handler, its test
    and function.toml. Requires a clean work tree, so that git can restore what is removed.
    """
    if not re.fullmatch(FUNCTION["name"].pattern, name, re.ASCII):
        raise click.BadParameter(
            f"{name!r} is not 3 to 34 lower-case letters, digits and hyphens that begin with a "
            "letter.",
            param_hint="NAME",
        )
    scaffold.require_fresh()
    for path in scaffold.write(name, kind):
        console.say(f"wrote {path}")
    console.say("Next steps: docs/adapting.md")
