"""releases: what was released to an environment, and rolled back, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import click

from pipeline import aws, labels
from pipeline.cli import console
from pipeline.cli.options import environment_option
from pipeline.config import Environment
from pipeline.cli.help import examples
from pipeline.release import observation, quarantine, state
from pipeline.release.ledger import Ledger, Release
from pipeline.target import Target


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
    """List releases and rollbacks.

    Marked are those that serve live's calls, and those whose bundle is in quarantine.
    """
    target = Target(aws.connect(), environment)
    found = list(islice(Ledger(target).releases(), limit))
    seen = observation.observe(target)
    live = {share.release.number: share.percent for share in seen.serving.shares if share.release}
    reasons = quarantine.reasons(target, (release.bundle for release in found))
    if as_json:
        console.result_json([_as_json(release, live, reasons) for release in found])
    elif not found:
        console.result(f"{environment.name} has no releases")
    else:
        columns = ["release", "kind", "outcome", "version", "bundle", "began", "actor", "reason"]
        rows = [[_mark(release, live, reasons), *_row(release)] for release in found]
        console.table("", ["", *columns], rows)
        for problem in state.find(seen):
            console.notice(problem.in_words())


def _as_json(
    release: Release, live: Mapping[int, float], reasons: Mapping[str, str]
) -> dict[str, object]:
    """Return a release with the names that machines look for first.

    `live_percent` is its share of live's calls, and `quarantined` why its bundle is in quarantine.
    """
    document = release.to_json()
    return {
        "release": document.pop("number"),
        "time": release.began,
        "live_percent": live.get(release.number, 0.0),
        "quarantined": reasons.get(release.bundle),
    } | document


def _mark(release: Release, live: Mapping[int, float], reasons: Mapping[str, str]) -> str:
    """Return what a release is now: live, with its share if that is not all, or in quarantine."""
    percent = live.get(release.number)
    if percent is not None:
        return "live" if percent == 100 else f"live {percent:.4g} %"
    return "quarantine" if release.bundle in reasons else ""


def _row(release: Release) -> list[str]:
    kind = (
        f"{release.kind} to {labels.release(release.restores)}"
        if release.restores
        else release.kind
    )
    kind = ", ".join(
        [kind, *release.overrides, *(f"{pending_name} pending" for pending_name in release.pending)]
    )
    return [
        release.label,
        kind,
        release.outcome,
        labels.version(release.version) if release.version else "-",
        release.bundle[:12],
        release.began[:19] + "Z",
        release.actor,
        release.reason or "",
    ]
