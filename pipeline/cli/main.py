"""The command line: one verb a module, and the one place where an error becomes an exit status."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import NoReturn

import click
from click.exceptions import NoSuchCommand
from click.shell_completion import CompletionItem

from pipeline import console
from pipeline.cli import completion
from pipeline.errors import PipelineError, StoppedError
from pipeline.sdk_errors import translated_errors
from pipeline.signals import stop_on_signals

# The module of each verb. It is imported when the verb is called: the AWS SDK alone takes longer to
# import than a build takes.
_VERBS = {
    "init": "init",
    "build": "build",
    "inspect": "inspection",
    "fetch": "fetch",
    "plan": "plan",
    "deploy": "deploy",
    "rollback": "rollback",
    "status": "status",
    "releases": "releases",
    "page": "page",
    "metrics": "metrics",
    "logs": "logs",
    "prune": "prune",
    "unlock": "unlock",
    "destroy": "destroy",
    "bootstrap": "bootstrap",
    "doctor": "doctor",
    "github": "github",
    "completion": "completion",
}


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Without --help, their only option, the verbs fit into the 24 lines of a screen.
        self.format_commands(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        # Names alone, for whoever has pressed a key is waiting: a verb's help is in its module.
        verbs = [
            CompletionItem(command_name)
            for command_name in _VERBS
            if command_name.startswith(incomplete)
        ]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            if ctx.resilient_parsing:
                return None
            raise NoSuchCommand(cmd_name, possibilities=_VERBS, ctx=ctx)
        command: click.Command = import_module(f"pipeline.cli.{cmd_name}").command
        return command


@click.command(
    cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
def pipeline() -> None:
    """Take a Lambda function from source to production and back."""


def main() -> None:
    """Run the command line; exit 0 (done), 1 (did not hold, or failed) or 2 (wrong call)."""
    stop_on_signals()
    try:
        with translated_errors():
            pipeline(
                prog_name="python -m pipeline",
                standalone_mode=False,
                complete_var=completion.VARIABLE,
            )
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
    except click.Abort:
        _fail(
            StoppedError("stopped before it was done", "The list of releases says how far it came.")
        )
    except PipelineError as problem:
        _fail(problem)


def _fail(problem: PipelineError) -> NoReturn:
    console.error(problem)
    sys.exit(problem.exit_status)
