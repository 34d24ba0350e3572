"""python -m docs.generate: write the parts of the documents that are made from the program.

They are the command reference and the README's table of commands (from `--help`), and the benchmark
tables and the README's figures (from benchmarks/results.json).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import click
from benchmarks import table
from pipeline.cli.main import pipeline

ROOT = Path(__file__).resolve().parent.parent
_RESULTS = ROOT / "benchmarks" / "results.json"
_README_COMMANDS = (
    *("build", "inspect", "plan", "deploy", "rollback"),
    *("status", "releases", "logs"),
)


def pages() -> dict[Path, str]:
    """Return the text that each generated document must have, by its path.

    Raises ValueError if a document lacks the markers of its generated part.
    """
    results = json.loads(_RESULTS.read_text("utf-8"))
    readme, benchmarks = ROOT / "README.md", ROOT / "docs" / "benchmarks.md"
    with_commands = _between(readme.read_text("utf-8"), "commands", _command_table())
    return {
        readme: _between(with_commands, "figures", table.figures(results)),
        benchmarks: _between(benchmarks.read_text("utf-8"), "results", table.page(results)),
        ROOT / "docs" / "commands.md": _commands(),
    }


def _between(document: str, name: str, generated: str) -> str:
    """Return a document with `generated` between `<!-- name -->` and `<!-- /name -->`."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    head, found, rest = document.partition(begin)
    _, also, tail = rest.partition(end)
    if not (found and also):
        raise ValueError(f"a document has no part between {begin.strip()} and {end}")
    return f"{head}{begin}\n{generated.strip()}\n\n{end}{tail}"


def _command_table() -> str:
    """Return the README's table: each command with the first line of its help."""
    context = click.Context(pipeline)
    lines = ["| command | description |", "|---|---|"]
    for name in _README_COMMANDS:
        command = pipeline.get_command(context, name)
        assert command
        lines.append(f"| `{name}` | {command.get_short_help_str(100)} |")
    return "\n".join(lines)


def _commands() -> str:
    """Return the command reference: each command's help, as the command line prints it."""
    context = click.Context(
        pipeline,
        info_name="python -m pipeline",
        max_content_width=100,
        help_option_names=pipeline.context_settings["help_option_names"],
    )
    parts = [
        "# Commands",
        "This page is generated from `--help` (`make docs`). Exit codes: 0 success, 1 failure or "
        "failed check, 2 usage error. `--json` prints the same facts for programs.",
    ]
    for name in pipeline.list_commands(context):
        command = pipeline.get_command(context, name)
        assert command
        with click.Context(
            command, info_name=name, parent=context, max_content_width=100, terminal_width=100
        ) as inner:
            text = command.get_help(inner)
        parts += [f"## {name}", "```text\n" + re.sub(r"[ \t]+$", "", text, flags=re.M) + "\n```"]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Write every generated document; with `--check`, exit 1 with the names of those to write."""
    wanted = pages()
    if sys.argv[1:] == ["--check"]:
        old = [path.name for path, text in wanted.items() if path.read_text("utf-8") != text]
        if old:
            sys.exit(f"not current, run make docs: {', '.join(old)}")
        return
    for path, text in wanted.items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
