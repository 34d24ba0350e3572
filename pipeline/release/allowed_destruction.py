"""What may be destroyed: what labels of pull requests (`allow-destroy:ADDRESS`) say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import batched

from pipeline import github

PREFIX = "allow-destroy:"
# GitHub allows a token of a job 1,000 requests an hour, so commits are looked up together.
# https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
_COMMITS = 50
_LABELS = """associatedPullRequests(first: 10) { nodes {
  merged baseRefName labels(first: 100) { nodes { name } } } }"""


def of_pull_request(number: int) -> tuple[str, ...]:
    """Return the addresses that a pull request's labels name; raise GitHubError."""
    found = github.get(f"repos/{github.repository()}/pulls/{number}")
    return addresses(label["name"] for label in found["labels"]) if found else ()


def of_merges(since: str | None, commit: str) -> tuple[str, ...]:
    """Return the addresses that the labels of all pull requests name that were merged since.

    A merge that was skipped, or came in a group, brings its labels along. Before the first
    deployment (`since` is None), and if GitHub does not know that commit, those of `commit` count.
    Raises GitHubError.
    """
    merged = _between(since, commit) if since else []
    return addresses(
        label for batch in batched(merged or [commit], _COMMITS) for label in _labels(batch)
    )


def addresses(labels: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses that labels name, each once."""
    named = {label.removeprefix(PREFIX) for label in labels if label.startswith(PREFIX)}
    return tuple(sorted(named))


def _between(base: str, head: str) -> list[str]:
    """Return the commits after `base` up to `head`."""
    path = f"repos/{github.repository()}/compare/{base}...{head}?per_page=100"
    return [commit["sha"] for page in github.pages(path) for commit in page["commits"]]


def _labels(commits: Iterable[str]) -> Iterator[str]:
    """Yield the labels of the pull requests that were merged into main as these commits."""
    requested = "\n".join(
        f'c{number}: object(oid: "{sha}") {{ ... on Commit {{ {_LABELS} }} }}'
        for number, sha in enumerate(commits)
    )
    owner, _, name = github.repository().partition("/")
    query = f"""query($owner: String!, $name: String!) {{
      repository(owner: $owner, name: $name) {{ {requested} }} }}"""
    found = github.graphql(query, owner=owner, name=name)["repository"]
    for commit in filter(None, found.values()):
        for request in commit["associatedPullRequests"]["nodes"]:
            if request["merged"] and request["baseRefName"] == "main":
                yield from (label["name"] for label in request["labels"]["nodes"])
