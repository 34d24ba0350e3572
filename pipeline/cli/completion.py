"""completion: print the script with which a shell completes commands, options and values."""

from __future__ import annotations

import re

import click
from click.shell_completion import get_completion_class

from pipeline.cli import console
from pipeline.cli.help import examples

# The command's short name in the shell, and the variable with which click starts a completion.
NAME = "pipeline"
VARIABLE = "_PIPELINE_COMPLETE"

_COMMAND = "python -m pipeline"
_FUNCTION = {
    "bash": f'{NAME}() {{ {_COMMAND} "$@"; }}',
    "zsh": f'{NAME}() {{ {_COMMAND} "$@"; }}',
    "fish": f"function {NAME}; {_COMMAND} $argv; end",
}


@click.command(
    "completion", epilog=examples("completion bash", "completion zsh", "completion fish")
)
@click.argument("shell", type=click.Choice(list(_FUNCTION)))
def command(shell: str) -> None:
    """Print the shell completion script.

    It defines `pipeline` as a short name of this command in a checkout, with completion:

    \b
      bash, zsh:  eval "$(python -m pipeline completion bash)"
      fish:       python -m pipeline completion fish | source
    """
    console.result(script(click.get_current_context().find_root().command, shell))


def script(program: click.Command, shell: str) -> str:
    """Return click's script for a shell, changed to run the command instead of a file."""
    made = get_completion_class(shell)
    assert made
    source = made(program, {}, NAME, VARIABLE).source()
    # The name is that of a function, which `env` does not find; nor does zsh among the commands.
    source = re.sub(rf" (?:\$1|{NAME})\)", f" {_COMMAND} 2>/dev/null)", source, count=1)
    source = re.sub(r"^ *\(\( ! \$\+commands\[.*\n", "", source, flags=re.MULTILINE)
    return f"{_FUNCTION[shell]}\n{source}".rstrip()
