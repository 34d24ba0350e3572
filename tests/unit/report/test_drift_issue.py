"""The issue about drift: opened, updated and closed by what was found in each environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import github
from pipeline.report import drift_issue

_BOT = {"login": "github-actions[bot]"}
# Neither is the workflow's issue, though both have its label.
_OTHERS = [
    {"number": 7, "user": _BOT, "pull_request": {"url": "…"}},
    {"number": 8, "user": {"login": "somebody"}},
]
_OURS = {"number": 9, "user": _BOT}


def _planned(folder: Path, *, empty: bool) -> None:
    folder.mkdir()
    (folder / "plan.json").write_text(json.dumps({"empty": empty}))
    (folder / "plan.md").write_text(f"### Plan for {folder.name}\n")


class _Hub:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, is_open: bool) -> None:
        self.sent: list[tuple[str, str, dict[str, Any]]] = []
        found = [*_OTHERS, _OURS] if is_open else _OTHERS
        monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")
        monkeypatch.setattr(github, "pages", lambda path: [found])
        monkeypatch.setattr(
            github, "send", lambda method, path, body: self.sent.append((method, path, body))
        )

    def report(self, folder: Path) -> list[tuple[str, str]]:
        """Report, and return what was written where."""
        looks = {name: drift_issue.read(folder / name) for name in ("staging", "production")}
        drift_issue.report(looks)
        return [(method, path.removeprefix("repos/o/r/")) for method, path, _ in self.sent]


@pytest.mark.parametrize("is_open", [True, False])
def test_one_environment_that_differs_opens_or_updates_the_issue(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_open: bool
) -> None:
    hub = _Hub(monkeypatch, is_open=is_open)
    _planned(tmp_path / "staging", empty=True)
    _planned(tmp_path / "production", empty=False)
    where = [("PATCH", "issues/9")] if is_open else [("POST", "issues")]
    assert hub.report(tmp_path) == where
    text = hub.sent[0][2]["body"]
    assert "Plan for production" in text and "Plan for staging" not in text


def test_when_all_agree_the_issue_is_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An environment that nothing was deployed to has not drifted."""
    hub = _Hub(monkeypatch, is_open=True)
    _planned(tmp_path / "staging", empty=True)
    drift_issue.note(tmp_path / "production", "never deployed")
    assert hub.report(tmp_path) == [("POST", "issues/9/comments"), ("PATCH", "issues/9")]
    assert hub.sent[1][2] == {"state": "closed"}


def test_when_all_agree_and_no_issue_is_open_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub = _Hub(monkeypatch, is_open=False)
    for name in ("staging", "production"):
        _planned(tmp_path / name, empty=True)
    assert hub.report(tmp_path) == []


@pytest.mark.parametrize("is_open", [True, False])
def test_a_plan_that_failed_is_in_the_issue(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_open: bool
) -> None:
    """Whether it differs is not known, and nobody looks at the runs of a schedule."""
    hub = _Hub(monkeypatch, is_open=is_open)
    _planned(tmp_path / "staging", empty=True)
    assert len(hub.report(tmp_path)) == 1
    assert "### production could not be planned" in hub.sent[0][2]["body"]


def test_while_a_release_is_under_way_nothing_is_opened_or_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What it has done half-way is no drift."""
    hub = _Hub(monkeypatch, is_open=True)
    _planned(tmp_path / "staging", empty=True)
    drift_issue.note(tmp_path / "production", "under way")
    assert hub.report(tmp_path) == []
