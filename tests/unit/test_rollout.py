"""How traffic moves: what rollout.toml may say, and what is refused before anything is done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline import aws, config
from pipeline.cli.main import pipeline
from pipeline.config import Environment, Rollout
from pipeline.errors import UsageError
from scratch.source import copy_to

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
    assert "rollout.toml is not valid" in done.exception.message


def test_an_environment_without_its_file_is_refused(rollout_file: Path) -> None:
    with pytest.raises(UsageError, match="rollout.toml"):
        Environment("local").rollout()


def test_an_environment_is_a_folder(tmp_path: Path) -> None:
    """It comes after the one that a bundle must have served in before."""
    source = copy_to(tmp_path / "source")
    environments = source / "terraform" / "environments"
    shutil.copytree(environments / "production", environments / "canada")
    text = (environments / "canada" / "rollout.toml").read_text()
    (environments / "canada" / "rollout.toml").write_text(
        text.replace('after = "staging"', 'after = "production"')
    )
    done = subprocess.run(
        [sys.executable, "-c", "from pipeline.config import ENVIRONMENTS; print(*ENVIRONMENTS)"],
        cwd=source,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["local", "staging", "production", "canada"], done.stderr


def test_the_pipeline_works_on_the_checkout_that_it_is_called_in(tmp_path: Path) -> None:
    """It is installed elsewhere then, by pip."""
    source = copy_to(tmp_path / "source")
    installed = tmp_path / "installed"
    installed.mkdir()
    shutil.move(source / "pipeline", installed)
    code = "import pipeline.config as config; print(config.ROOT, config.__file__)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=source / "terraform",
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )
    root, file = map(Path, done.stdout.split())
    assert root == source and file.is_relative_to(installed), done.stderr
