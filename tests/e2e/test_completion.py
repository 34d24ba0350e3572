"""What a shell completes once it has evaluated what `completion` prints."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import get_completion_class
from click.testing import CliRunner

from pipeline.cli.main import pipeline
from pipeline.config import ENVIRONMENTS
from scratch.project import outside_of_a_job
from scratch.source import ROOT


def _run(shell: str, script: str) -> list[str]:
    """Run a script in a shell, in a checkout whose `python` is this one; return what it prints."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [shell, "--norc", "-c", script] if shell == "bash" else [shell, "-c", script],
        cwd=ROOT,
        env=outside_of_a_job() | {"PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.splitlines()


def _complete_in_bash(*words: str) -> list[str]:
    """Let bash complete the last word, with the function that is registered for `pipeline`."""
    return _run(
        "bash",
        f"""
        eval "$(pipeline completion bash)"
        COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}
        set -- $(complete -p pipeline)
        while [ "$1" != -F ]; do shift; done
        "$2" pipeline
        printf '%s\\n' "${{COMPREPLY[@]}}"
        """,
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ro"], ["rollback"]),
        (["re"], ["releases"]),
        (["deploy", "--environment", ""], list(ENVIRONMENTS)),
        (["deploy", "--environment", "st"], ["staging"]),
        (["deploy", "--environment", "staging", "--from", "l"], ["local"]),
        (["logs", "--fo"], ["--follow"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["no-such-verb", "--x"], [""]),
    ],
)
def test_bash_completes(words: list[str], expected: list[str]) -> None:
    assert _complete_in_bash("pipeline", *words) == expected


def test_the_console_script_is_the_same_command() -> None:
    assert _run("bash", "pipeline rollback --help") == _run(
        "bash", "python -m pipeline rollback --help"
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_what_click_has_for_it(shell: str) -> None:
    script = CliRunner().invoke(pipeline, ["completion", shell]).output
    known = get_completion_class(shell)
    assert known
    assert script.strip() == known(pipeline, {}, "pipeline", "_PIPELINE_COMPLETE").source().strip()
    if shutil.which(shell):
        _run(shell, f"{shell} -n <<'end'\n{script}\nend")


def test_completing_a_command_imports_none() -> None:
    """A person waits for the completion: the AWS SDK alone takes half a second to import."""
    words = {"COMP_WORDS": "pipeline d", "COMP_CWORD": "1", "_PIPELINE_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pipeline"],
        cwd=ROOT,
        env=outside_of_a_job() | words,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["plain,deploy", "plain,destroy", "plain,doctor"]
    assert "pipeline.cli" in done.stderr
    assert "pipeline.cli.deploy" not in done.stderr and " boto3" not in done.stderr
