"""releases: what was released to an environment, and rolled back, newest first."""

from __future__ import annotations

from itertools import islice

import click

from pipeline import aws, console
from pipeline.cli.options import environment_option
from pipeline.config import Environment
from pipeline.cli.help import examples
from pipeline.release.ledger import Ledger, Release


@click.command(
    "releases",
    epilog=examples(
        "releases --environment production", "releases --environment production --json"
    ),
)
@environment_option
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="Number of releases."
)
@click.option("--json", "as_json", is_flag=True, help="Print the releases as JSON.")
def command(environment: Environment, limit: int, as_json: bool) -> None:
    """List releases and rollbacks."""
    found = list(islice(Ledger(aws.connect(), environment).releases(), limit))
    if as_json:
        console.result_json([_as_json(each) for each in found])
    elif not found:
        console.result(f"{environment.name} has no releases")
    else:
        columns = ["release", "kind", "outcome", "version", "bundle", "began", "actor", "reason"]
        console.table("", columns, [_row(each) for each in found])


def _as_json(release: Release) -> dict[str, object]:
    """Return a release with the names that machines look for first."""
    document = release.to_json()
    return {"release": document.pop("number"), "time": release.began} | document


def _row(release: Release) -> list[str]:
    kind = f"{release.kind} to {release.restores}" if release.restores else release.kind
    kind = ", ".join(
        [kind, *release.overrides, *(f"{pending_name} pending" for pending_name in release.pending)]
    )
    return [
        str(release.number),
        kind,
        release.outcome,
        release.version or "-",
        release.bundle[:12],
        release.began[:19] + "Z",
        release.actor,
        release.reason or "",
    ]
