"""What the documents have people type exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline.cli.main import pipeline
from scratch.source import ROOT

# Decisions are short, and the change log grows.
_DOCUMENTS = sorted(
    str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
)
# The command reference is generated, and nobody reads a runbook from end to end.
_MOST_WORDS = {"README.md": 700, "docs/commands.md": 2000, "docs/runbook.md": 2000}


def _commands(pattern: str) -> list[str]:
    """Return what follows `pattern` on the lines of code blocks."""
    # tests/e2e/test_runbook.py follows the runbook's commands, which have variables.
    names = [name for name in _DOCUMENTS if name != "docs/runbook.md"]
    text = "\n".join((ROOT / name).read_text() for name in names)
    return re.findall(rf"^    (?:\$ )?{pattern}\s+([^#\n]+)", text, re.MULTILINE)


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = "\n".join((ROOT / name).read_text() for name in _DOCUMENTS)
    named = {command.split()[0] for command in _commands("make")} | set(
        re.findall(r"`make (\w+)`", text)
    )
    assert named and named <= targets


def test_every_resource_that_is_named_exists() -> None:
    """By its address, or in a block that overrides it."""
    block = re.compile(r'^ *resource "(\w+)" "(\w+)"', re.MULTILINE)
    stacks = "\n".join(each.read_text() for each in (ROOT / "terraform").rglob("*.tf"))
    # A change log names what there was.
    documents = [ROOT / name for name in _DOCUMENTS if name != "CHANGELOG.md"]
    text = "\n".join(document.read_text() for document in documents)
    named = set(block.findall(text)) | set(re.findall(r"\b(aws_\w+)\.(\w+)", text))
    assert len(named) > 2 and named <= set(block.findall(stacks))


@pytest.mark.parametrize("line", _commands("python -m pipeline"))
def test_every_pipeline_command_can_be_typed(line: str) -> None:
    """The command, its options and their values are accepted."""
    name, *arguments = shlex.split(line)
    command = pipeline.get_command(click.Context(pipeline), name)
    assert command
    command.make_context(name, arguments)


def test_the_help_fits_a_screen_and_cuts_no_sentence_off() -> None:
    text = CliRunner().invoke(pipeline, ["--help"], terminal_width=80).output
    assert len(text.splitlines()) <= 24 and "..." not in text.partition("Commands:")[2]


def test_the_error_for_a_typo_suggests_the_nearest_command() -> None:
    done = CliRunner().invoke(pipeline, ["roleback"])
    assert done.exit_code == 2 and "Did you mean 'rollback'?" in done.output


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("deploy --environment stagin", "Did you mean 'staging'?"),
        ("rollback --environment prod", "Did you mean 'production'?"),
        ("deploy --environment production --from stage", "Did you mean 'staging'?"),
        ("deploy --environement staging", "Did you mean '--environment'?"),
    ],
)
def test_the_error_for_a_typo_suggests_an_environment_or_an_option(typed: str, answer: str) -> None:
    done = CliRunner().invoke(pipeline, typed.split())
    assert done.exit_code == 2 and answer in done.output


@pytest.mark.parametrize("name", pipeline.list_commands(click.Context(pipeline)))
def test_every_command_has_examples_that_can_be_typed(name: str) -> None:
    command = pipeline.get_command(click.Context(pipeline), name)
    assert command
    lines = [line.strip() for line in (command.epilog or "").splitlines()[2:]]
    assert lines
    for line in lines:
        words = shlex.split(line)
        assert words[:4] == ["python", "-m", "pipeline", name]
        command.make_context(name, words[4:])


def test_what_is_generated_is_current() -> None:
    """`make docs` writes it: the command reference, the benchmarks and the README's figures."""
    # A process of its own: click keeps the help option of the first context that it is made in.
    command = [sys.executable, "-m", "docs.generate", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [name for name in _DOCUMENTS if name != "CHANGELOG.md"])
def test_a_document_is_read_in_minutes(name: str) -> None:
    """At most 1,200 words, the README 700; a number is none."""
    words = re.findall(r"\S*[^\W\d_]{2}\S*", (ROOT / name).read_text())
    assert len(words) <= _MOST_WORDS.get(name, 1200), len(words)


def _anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_links_lead_to_a_file_and_to_a_heading_in_it() -> None:
    for name in _DOCUMENTS:
        path = ROOT / name
        for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", path.read_text()):
            file = path.parent / target if target else path
            assert file.exists(), f"{name}: {target}"
            assert not anchor or anchor in _anchors(file), f"{name}: {target}#{anchor}"


# Idioms of several words, which codespell cannot find; it has single words in docs/words.txt.
_IDIOMS = ("many a", "hold against", "held against", "the night", "at night", "needed beforehand")


@pytest.mark.parametrize("name", _DOCUMENTS)
def test_a_document_has_no_idioms(name: str) -> None:
    text = " ".join((ROOT / name).read_text().lower().split())
    assert [idiom for idiom in _IDIOMS if re.search(rf"\b{idiom}\b", text)] == []


def test_each_claim_of_the_comparison_has_its_link_and_each_link_a_claim() -> None:
    text = (ROOT / "docs/comparison.md").read_text()
    used = re.findall(r"\]\[([\w-]+)\]", text)
    defined = re.findall(r"^\[([\w-]+)\]: https://\S+$", text, re.MULTILINE)
    assert sorted(defined) == sorted(set(used))


def test_the_tables_of_the_comparison_are_whole() -> None:
    """A missing cell would move the rest of the row into the columns of other tools."""
    for table in (ROOT / "docs/comparison.md").read_text().split("\n\n"):
        if table.startswith("|"):
            assert len({row.count("|") for row in table.splitlines()}) == 1, table


def test_the_tests_that_are_named_exist() -> None:
    for name in _DOCUMENTS:
        for path in re.findall(r"`(tests/[\w/*.]+\.py)`", (ROOT / name).read_text()):
            assert list(ROOT.glob(path)), f"{name}: {path}"
