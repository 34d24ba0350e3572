"""How traffic moves: what rollout.toml may say, and what is refused before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline import aws, config
from pipeline.cli.main import pipeline
from pipeline.config import Environment, Rollout
from pipeline.errors import UsageError

_REST = "watch_s = 1\nleast_calls = 1\nalarms = []\n"


@pytest.fixture
def rollout_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The rollout.toml of `local`, to be written."""
    monkeypatch.setattr(config, "TERRAFORM_DIR", tmp_path)
    path = Environment("local").rollout_file
    path.parent.mkdir(parents=True)
    return path


def test_steps_are_read(rollout_file: Path) -> None:
    rollout_file.write_text(
        'percents = [0.5, 10, 100]\nwatch_s = 1.5\nleast_calls = 7\nalarms = ["a"]\n'
        'after = "staging"\n'
    )
    steps = Environment("local").rollout()
    assert steps == Rollout((0.5, 10, 100), 1.5, 7, ("a",), "staging")


@pytest.mark.parametrize(
    "text",
    [
        f"percents = [10]\n{_REST}",
        f"percents = [50, 10, 100]\n{_REST}",
        f"percents = [10, 10, 100]\n{_REST}",
        f"percents = [0, 100]\n{_REST}",
        f"percents = []\n{_REST}",
        f"percents = 100\n{_REST}",
        f"percents =\n{_REST}",
        f"percents = [100]\nwhat = 1\n{_REST}",
        _REST,
        "percents = [100]\nwatch_s = 1\nalarms = []\n",
        "percents = [100]\nwatch_s = -1\nleast_calls = 1\nalarms = []\n",
        "percents = [100]\nwatch_s = 1\nleast_calls = 0\nalarms = []\n",
    ],
)
def test_steps_that_make_no_sense_are_refused_before_anything_is_done(
    rollout_file: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Not even the account is looked up."""
    monkeypatch.setattr(aws, "connect", lambda: pytest.fail("AWS was called"))
    rollout_file.write_text(text)
    done = CliRunner().invoke(pipeline, ["deploy", "--environment", "local"])
    assert isinstance(done.exception, UsageError) and done.exception.exit_status == 2
    assert "rollout.toml does not say how traffic moves" in done.exception.message


def test_an_environment_without_its_file_is_refused(rollout_file: Path) -> None:
    with pytest.raises(UsageError, match="rollout.toml"):
        Environment("local").rollout()
