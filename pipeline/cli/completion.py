"""completion: print the script with which a shell completes commands, options and values."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from pipeline.cli import console
from pipeline.cli.help import examples

# The variable with which click starts a completion.
VARIABLE = "_PIPELINE_COMPLETE"


@click.command(
    "completion", epilog=examples("completion bash", "completion zsh", "completion fish")
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the shell completion script of `pipeline`.

    Evaluate it in a shell in which .venv is active:

    \b
      bash, zsh:  eval "$(pipeline completion bash)"
      fish:       pipeline completion fish | source
    """
    script = get_completion_class(shell)
    assert script
    program = click.get_current_context().find_root().command
    console.result(script(program, {}, "pipeline", VARIABLE).source().rstrip())
