"""What labels of pull requests allow to be destroyed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pipeline import github
from pipeline.release import allowed_destruction


def _merged(*labels: str, base: str = "main", merged: bool = True) -> dict[str, Any]:
    nodes = [{"name": f"allow-destroy:{label}"} for label in labels] + [{"name": "bug"}]
    return {"merged": merged, "baseRefName": base, "labels": {"nodes": nodes}}


class _GitHub:
    """GitHub's API: `merges` are pull requests by the commit that they were merged as."""

    def __init__(self, merges: dict[str, list[dict[str, Any]]], since: list[str]) -> None:
        self.merges = merges
        self.since = since
        self.requested: list[int] = []

    def pages(self, path: str) -> list[Any]:
        assert path == "repos/o/r/compare/old...new?per_page=100"
        return [{"commits": [{"sha": sha} for sha in self.since]}] if self.since else []

    def graphql(self, query: str, **variables: str) -> Any:
        assert variables == {"owner": "o", "name": "r"}
        found = re.findall(r'(c\d+): object\(oid: "(\w+)"\)', query)
        self.requested.append(len(found))
        requests = {name: self.merges.get(sha) for name, sha in found}
        return {
            "repository": {
                name: None if each is None else {"associatedPullRequests": {"nodes": each}}
                for name, each in requests.items()
            }
        }


def _allowed(
    monkeypatch: pytest.MonkeyPatch, hub: _GitHub, since: str | None = "old"
) -> tuple[str, ...]:
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")
    monkeypatch.setattr(github, "pages", hub.pages)
    monkeypatch.setattr(github, "graphql", hub.graphql)
    return allowed_destruction.of_merges(since, "new")


def test_labels_of_every_merge_since_the_last_deployment_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that was skipped comes along; no other pull request does."""
    merges = {
        "skipped": [_merged("aws_b.x")],
        "new": [
            _merged("aws_a.x", "aws_b.x"),
            _merged("aws_elsewhere.x", base="topic"),
            _merged("aws_open.x", merged=False),
        ],
    }
    hub = _GitHub(merges, ["skipped", "unknown", "new"])
    assert _allowed(monkeypatch, hub) == ("aws_a.x", "aws_b.x")


@pytest.mark.parametrize("since", [None, "old"])
def test_before_the_first_deployment_the_merge_itself_counts(
    monkeypatch: pytest.MonkeyPatch, since: str | None
) -> None:
    """And if GitHub does not know what was deployed last."""
    hub = _GitHub({"new": [_merged("aws_a.x")]}, [])
    assert _allowed(monkeypatch, hub, since) == ("aws_a.x",)


def test_many_commits_take_few_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job's token has 1,000 an hour."""
    hub = _GitHub({"c119": [_merged("aws_a.x")]}, [f"c{number}" for number in range(120)])
    assert _allowed(monkeypatch, hub) == ("aws_a.x",) and hub.requested == [50, 50, 20]


def test_a_pull_requests_own_labels_count(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = [{"name": "bug"}, {"name": "allow-destroy:aws_a.x"}]
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")
    monkeypatch.setattr(
        github, "get", lambda path: {"labels": labels} if "/pulls/7" in path else None
    )
    assert allowed_destruction.of_pull_request(7) == ("aws_a.x",)
    assert allowed_destruction.of_pull_request(8) == ()
