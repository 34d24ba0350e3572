"""init: make this copy of the repository that of another function."""

from __future__ import annotations

import re

import click

from pipeline import console, scaffold
from pipeline.cli.help import examples
from pipeline.errors import UsageError
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
    """Make this copy of the repository that of the function NAME.

    mongo-client's code, tests and figures are taken away; a handler that works, its test and its
    function.toml take their place. Nothing may be uncommitted, so that git has all of it.
    """
    if not re.fullmatch(FUNCTION["name"].pattern, name, re.ASCII):
        raise UsageError(
            f"{name!r} cannot be a function's name",
            "Lower-case letters, digits and hyphens, 3 to 34 of them, from a letter on.",
        )
    scaffold.require_fresh()
    for path in scaffold.write(name, kind):
        console.say(f"wrote {path}")
    console.say("docs/adapting.md says what comes next")
