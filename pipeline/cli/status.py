"""status: what serves, whether all that says so agrees, and what to run if not."""

from __future__ import annotations

import sys

import click

from pipeline import aws
from pipeline.cli import console
from pipeline.cli.help import examples
from pipeline.cli.options import environment_option
from pipeline.config import Environment
from pipeline.release import observation, state
from pipeline.report import status
from pipeline.report.status import Status
from pipeline.target import Target


@click.command(
    "status",
    epilog=examples("status --environment production", "status --environment staging --json"),
)
@environment_option
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
def command(environment: Environment, as_json: bool) -> None:
    """Show what serves, and what needs a person.

    Each state that needs one has a name, which the runbook explains, and a command that repairs it.
    Exit status 1 if there is any.
    """
    target = Target(aws.connect(), environment)
    seen = observation.observe(target)
    callers = observation.look_at_callers(target, seen)
    found = Status(seen, callers, state.find(seen, callers))
    if as_json:
        console.result_json(status.document(found))
    else:
        for line in status.lines(found):
            console.result(line)
    if not found.is_content:
        sys.exit(1)


def notice_states(target: Target) -> None:
    """Print the states of an environment that need a person, if there are any, as notices."""
    for found in state.find(observation.observe(target)):
        console.notice(found.in_words())
