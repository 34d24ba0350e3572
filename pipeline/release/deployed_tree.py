"""Which commit's files deployed what an environment has: its tree, by the ledger.

The ledger is the truth: only the roles of releases can write it. GitHub's own records of
deployments can be made by whoever may push, and by other apps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import quote

from pipeline import github
from pipeline.release.ledger import Release

# GitHub's status of a commit compared with one of its ancestors.
# https://docs.github.com/en/rest/commits/commits#compare-two-commits
_COMES_AFTER = ("ahead", "identical")


def newest(releases: Iterable[Release]) -> str | None:
    """Return the tree of the newest deployment that succeeded; None before the first."""
    return next(trees(releases), None)


def newest_of(releases: Iterable[Release], commit: str) -> str | None:
    """Return the newest tree that a commit's history has, or None; raise GitHubError.

    A release from a desk can have a tree that nobody pushed.
    """
    return next((tree for tree in trees(releases) if comes_after(commit, tree)), None)


def trees(releases: Iterable[Release]) -> Iterator[str]:
    """Yield the trees of the deployments that succeeded, in the order of the releases."""
    for release in releases:
        tree = release.tree or release.commit
        if release.kind == "deploy" and release.outcome == "succeeded" and tree:
            yield tree


def comes_after(commit: str, tree: str) -> bool:
    """Return whether a commit is a tree, or has it in its history; raise GitHubError."""
    return _status(tree, commit) in _COMES_AFTER


def is_overtaken(commit: str, tree: str) -> bool:
    """Return whether a tree has a commit in its history, and is another one; raise GitHubError."""
    return _status(tree, commit) == "behind"


def _status(base: str, head: str) -> str | None:
    """Return the status of `head` compared with `base`; None if one of them is unknown."""
    between = f"{quote(base, safe='')}...{quote(head, safe='')}"
    found = github.get(f"repos/{github.repository()}/compare/{between}?per_page=1")
    return str(found["status"]) if found else None
