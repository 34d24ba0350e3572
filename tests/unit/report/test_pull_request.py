"""The comment that shows the plans of a pull request."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline import github
from pipeline.report import pull_request

_BOT = {"login": "github-actions[bot]"}
_OURS = {"id": 5, "user": _BOT, "body": f"{pull_request.MARKER}\nAll well."}
_OTHERS = [
    {"id": 3, "user": {"login": "somebody"}, "body": f"{pull_request.MARKER}\nMine."},
    {"id": 4, "user": _BOT, "body": "Another comment."},
]
_NONE: dict[str, str | None] = {"staging": None, "production": None}


def _write(
    monkeypatch: pytest.MonkeyPatch,
    pages: dict[str, str | None],
    planned: str,
    *,
    is_there: bool = False,
) -> list[tuple[str, str, str]]:
    sent: list[tuple[str, str, str]] = []
    found: list[dict[str, Any]] = [*_OTHERS, _OURS] if is_there else _OTHERS
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")
    monkeypatch.setattr(github, "pull_request_head", lambda: "5ca1ab1e" * 5)
    monkeypatch.setattr(github, "run_url", lambda: "https://run")
    monkeypatch.setattr(github, "pages", lambda path: [found])
    monkeypatch.setattr(
        github, "send", lambda method, path, body: sent.append((method, path, body["body"]))
    )
    pull_request.write(2, pages, planned)
    return sent


def test_all_environments_are_in_one_comment(monkeypatch: pytest.MonkeyPatch) -> None:
    pages: dict[str, str | None] = {
        "staging": "### Plan for staging: A\n",
        "production": "### Plan for production: B\n",
    }
    [(method, path, text)] = _write(monkeypatch, pages, "success")
    assert (method, path) == ("POST", "repos/o/r/issues/2/comments")
    assert text == (
        "<!-- mongo-client plans -->\n\n### Plan for staging: A\n\n### Plan for production: B\n"
    )


@pytest.mark.parametrize("planned", ["skipped", "failure", "success"])
def test_a_comment_of_an_earlier_commit_does_not_stay(
    monkeypatch: pytest.MonkeyPatch, planned: str
) -> None:
    """It says that there is no plan of this one: the build failed, or Terraform did."""
    [(method, path, text)] = _write(monkeypatch, _NONE, planned, is_there=True)
    assert (method, path) == ("PATCH", "repos/o/r/issues/comments/5")
    assert "### Plan for staging: there is none\n\nNone of commit `5ca1ab1e5ca1`" in text
    assert "(https://run)" in text and "All well" not in text


def test_a_plan_that_says_nothing_gets_a_comment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one that Terraform broke off."""
    pages = {**_NONE, "staging": "### Plan for staging: A"}
    [(_, _, text)] = _write(monkeypatch, pages, "failure")
    assert "Plan for staging: A" in text and "Plan for production: there is none" in text


def test_a_pull_request_that_got_no_plan_yet_gets_no_comment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its build failed: the checks say so."""
    assert _write(monkeypatch, _NONE, "skipped") == []
