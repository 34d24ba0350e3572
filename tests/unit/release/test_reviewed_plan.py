"""Which plan a merged pull request showed; and whether anybody can approve another one."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from pipeline import github
from pipeline.config import Environment
from pipeline.errors import ApprovalError, GitHubError
from pipeline.release import approval, reviewed_plan

_PRODUCTION = Environment("production")
_OURS = {"id": 10, "head_repository": {"full_name": "o/r"}}
_FORKS = {"id": 11, "head_repository": {"full_name": "somebody/r"}}


def _artifact(number: int, created_at: str, expired: bool = False) -> dict[str, Any]:
    return {"id": number, "created_at": created_at, "expired": expired}


def _zip(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, b"{}")
    return content.getvalue()


def _find(
    monkeypatch: pytest.MonkeyPatch,
    *artifacts: dict[str, Any],
    runs: tuple[dict[str, Any], ...] = (_FORKS, _OURS),
    merged_as: str = "merge",
    file: str = "production/plan.json",
) -> tuple[bytes | None, list[str]]:
    answers = {
        "repos/o/r/commits/merge/pulls": [
            {"merge_commit_sha": "another", "head": {"sha": "other"}},
            {"merge_commit_sha": merged_as, "head": {"sha": "head"}},
        ],
        "repos/o/r/actions/workflows/ci.yml/runs?event=pull_request&status=success&head_sha=head": {
            "workflow_runs": list(runs)
        },
        "repos/o/r/actions/runs/10/artifacts?name=plan-production&per_page=100": {
            "artifacts": list(artifacts)
        },
    }
    fetched: list[str] = []

    def download(path: str) -> bytes:
        fetched.append(path)
        return _zip(file)

    monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")
    monkeypatch.setattr(github, "get", answers.__getitem__)
    monkeypatch.setattr(github, "download", download)
    return reviewed_plan.find(_PRODUCTION, "merge"), fetched


def test_of_several_attempts_the_newest_artifact_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids of artifacts are not monotonic. The older one can be of a plan that was refused."""
    older, newer = _artifact(9, "2026-11-01T10:00:00Z"), _artifact(3, "2026-11-01T11:00:00Z")
    found, fetched = _find(monkeypatch, older, newer)
    assert found == b"{}" and fetched == ["repos/o/r/actions/artifacts/3/zip"]


@pytest.mark.parametrize(
    "case",
    [
        {"runs": (_FORKS,)},  # its token is not ours, and its plan not one of our roles'
        {"runs": ()},
        {"merged_as": "elsewhere"},  # pushed, without a pull request
    ],
)
def test_no_other_run_has_the_plan(monkeypatch: pytest.MonkeyPatch, case: dict[str, Any]) -> None:
    assert _find(monkeypatch, _artifact(3, "2026"), **case) == (None, [])


def test_an_expired_artifact_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _find(monkeypatch, _artifact(3, "2026", expired=True)) == (None, [])


def test_an_artifact_without_the_plan_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GitHubError, match="has no production/plan.json"):
        _find(monkeypatch, _artifact(3, "2026"), file="../plan.json")


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (None, "there is no environment production-approval"),
        (["branch_policy"], "has no reviewers"),
        (["branch_policy", "required_reviewers"], ""),
    ],
)
def test_a_plan_that_nobody_saw_needs_somebody_to_approve_it(
    monkeypatch: pytest.MonkeyPatch, rules: list[str] | None, problem: str
) -> None:
    """On a private repository nobody may be able to: the error says how to go on without."""
    found = rules and {"protection_rules": [{"type": rule} for rule in rules]}
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")
    monkeypatch.setattr(github, "get", lambda path: found)
    if not problem:
        approval.require("abc")
        return
    with pytest.raises(ApprovalError, match=problem) as refused:
        approval.require("abc")
    # In what happened, for GitHub's annotation shows no more.
    assert "gh workflow run deploy.yml --ref main -f bundle=abc" in refused.value.message
