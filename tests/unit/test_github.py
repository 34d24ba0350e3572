"""A job that lacks a part of GitHub's environment: other CI systems and containers pass some on."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import github


@pytest.fixture(autouse=True)
def _in_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for name in ("OUTPUT", "STEP_SUMMARY", "SERVER_URL", "REPOSITORY", "RUN_ID"):
        monkeypatch.delenv(f"GITHUB_{name}", raising=False)
    github._say_once.cache_clear()


def test_a_file_that_github_does_not_name_is_reported_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was done is done: neither an output nor a summary is worth a failure."""
    for _ in range(2):
        github.set_output("bundle", "1")
        github.add_to_summary("# Released")
    assert capsys.readouterr().err.splitlines() == [
        "::notice::GITHUB_OUTPUT is not set: what would go there is left out",
        "::notice::GITHUB_STEP_SUMMARY is not set: what would go there is left out",
    ]


def test_a_file_that_cannot_be_written_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "nowhere" / "output"))
    github.set_output("bundle", "1")
    assert capsys.readouterr().err.startswith("::notice::GITHUB_OUTPUT cannot be written: ")


def test_without_the_run_s_address_there_is_none() -> None:
    assert github.run_url() is None
