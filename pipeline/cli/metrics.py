"""metrics: compare the metrics of the current release with those of the previous one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import click

from pipeline import aws, labels
from pipeline.cli import console
from pipeline.cli.help import examples
from pipeline.cli.options import environment_option
from pipeline.config import Environment
from pipeline.errors import ReleaseUnusableError
from pipeline.release.ledger import Ledger, Release
from pipeline.traffic import alias, log_reader
from pipeline.traffic.alias import Live
from pipeline.traffic.statistics import Figures
from pipeline.target import Target


@click.command(
    "metrics",
    epilog=examples(
        "metrics --environment production", "metrics --environment production --hours 24 --json"
    ),
)
@environment_option
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True),
    default=24,
    show_default=True,
    help="Hours of the function's log to read.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the metrics as JSON.")
def command(environment: Environment, hours: float, as_json: bool) -> None:
    """Compare the current release with the previous one."""
    target = Target(aws.connect(), environment)
    live = alias.read(target.function)
    displayed = _releases(Ledger(target).releases(), live, environment)
    seen = log_reader.read(target, int((time.time() - hours * 3600) * 1000))
    figures = [Figures.of([call for call in seen if call.version == r.version]) for r in displayed]
    if as_json:
        console.result_json(
            [
                {"release": release.number, "version": release.version, **asdict(measured)}
                for release, measured in zip(displayed, figures, strict=True)
            ]
        )
        return
    columns = [
        "figure",
        *(f"{r.label} ({labels.version(r.version)})" for r in displayed),
    ]
    console.table("", columns, _rows(figures))


def _releases(
    releases: Iterator[Release], live: Live | None, environment: Environment
) -> list[Release]:
    """Return the release that live points to, and the newest before it with another version.

    Raises ReleaseUnusableError if there is none: a person may have moved live.
    """
    if live is None:
        raise ReleaseUnusableError(f"{environment.name} has no releases")
    serving = next((release for release in releases if release.version == live.version), None)
    if serving is None:
        raise ReleaseUnusableError(
            f"live points to {labels.version(live.version)}, which no release of "
            f"{environment.name} has",
            "Another user or process moved it, or published the version.",
            command=f"python -m pipeline status --environment {environment.name}",
        )
    succeeded = (release for release in releases if release.outcome == "succeeded")
    before = next((release for release in succeeded if release.version != serving.version), None)
    return [serving, before] if before else [serving]


def _rows(figures: Sequence[Figures]) -> list[list[str]]:
    rows = []
    for name in asdict(figures[0]):
        values = [getattr(figure, name) for figure in figures]
        words, _, unit = name.rpartition("_")
        label = f"{words.replace('_', ' ')}, {unit}" if unit in ("ms", "mb") else name
        rows.append(
            [
                label.replace("_", " ").replace(", mb", ", MB"),
                *("-" if value is None else f"{value:g}" for value in values),
            ]
        )
    return rows
