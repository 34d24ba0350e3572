"""The command line: one module per command, and where an error becomes an exit code."""

from __future__ import annotations

import platform
import sys
from importlib import import_module
from typing import NoReturn

import click
from click.exceptions import NoSuchCommand
from click.shell_completion import CompletionItem

from pipeline import github
from pipeline.cli import console
from pipeline.cli import completion
from pipeline.errors import PipelineError, StoppedError
from pipeline.sdk_errors import translated_errors
from pipeline.signals import stop_on_signals

# Each command is the module of its name. It is imported when it is called: importing the AWS SDK
# alone takes longer than a build.
_COMMANDS = (
    "init",
    "build",
    "inspect",
    "fetch",
    "plan",
    "deploy",
    "rollback",
    "status",
    "releases",
    "page",
    "metrics",
    "logs",
    "prune",
    "unlock",
    "destroy",
    "bootstrap",
    "doctor",
    "github",
    "completion",
)


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Without --help and --version, the commands fit into the 24 lines of a terminal.
        self.format_commands(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        # Names only, to be quick: the help of a command is in its module.
        names = [CompletionItem(name) for name in _COMMANDS if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            if ctx.resilient_parsing:
                return None
            raise NoSuchCommand(cmd_name, possibilities=_COMMANDS, ctx=ctx)
        command: click.Command = import_module(f"pipeline.cli.{cmd_name}").command
        return command


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from pipeline import commit

        head = commit.short(commit.of_tree() or "unknown")
        click.echo(f"pipeline, commit {head}, Python {platform.python_version()}")
        context.exit()


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the commit and the version of Python, and exit.",
)
def pipeline() -> None:
    """Build, inspect, deploy and roll back a Lambda function."""
    console.attach()


def main() -> None:
    """Run the command line. Exits with 0 (success), 1 (failure or failed check) or 2 (usage)."""
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
        if github.in_actions():
            print(github.annotation(problem.format_message()), file=sys.stderr)
        sys.exit(problem.exit_code)
    except click.Abort:
        _fail(StoppedError("stopped before the end", "`releases` shows what was done."))
    except PipelineError as problem:
        _fail(problem)


def _fail(problem: PipelineError) -> NoReturn:
    console.error(problem)
    sys.exit(problem.exit_status)
