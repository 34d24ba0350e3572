"""The command line: one verb a module, and the one place where an error becomes an exit status."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from pipeline import (
    bootstrap,
    build,
    deploy,
    doctor,
    fetch,
    inspection,
    logs,
    metrics,
    output,
    page,
    plan,
    prune,
    quarantine,
    releases,
    rollback,
    unlock,
)
from pipeline.aws import translated_errors
from pipeline.errors import PipelineError, Stopped
from pipeline.stopping import stop_when_told


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def pipeline() -> None:
    """Take the mongo-client Lambda function from source to production and back."""


_VERBS = (
    *(build, inspection, fetch, plan, deploy, rollback),
    *(releases, page, quarantine, metrics, logs, prune, unlock, bootstrap, doctor),
)
for verb in _VERBS:
    pipeline.add_command(verb.command)


def main() -> None:
    """Run the command line; exit 0 (done), 1 (did not hold, or failed) or 2 (wrong call)."""
    stop_when_told()
    try:
        with translated_errors():
            pipeline(prog_name="python -m pipeline", standalone_mode=False)
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
    except click.Abort:
        _fail(
            Stopped("stopped before it was done", "`python -m pipeline releases` tells the rest.")
        )
    except PipelineError as problem:
        _fail(problem)


def _fail(problem: PipelineError) -> NoReturn:
    output.error(problem)
    sys.exit(problem.exit_status)
