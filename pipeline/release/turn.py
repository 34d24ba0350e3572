"""Whose turn it is: is a merge still to be deployed, after what was deployed meanwhile?

Runs of deploy.yml wait for each other, and GitHub does not guarantee their order. So what decides
is the ledger: a merge whose commit the deployed tree has already would go back.
"""

from __future__ import annotations
from pipeline.errors import SupersededError
from pipeline.release import deployed_tree, quarantine
from pipeline.release.ledger import Ledger
from pipeline.target import Target


def overtaken(target: Target, commit: str) -> str | None:
    """Return why a commit is not to be deployed any more, or None; raise GitHubError."""
    tree = deployed_tree.newest(Ledger(target).releases())
    if tree is None or not deployed_tree.is_overtaken(commit, tree):
        return None
    return (
        f"{target.name} has {tree[:7]} of main, which is newer than {commit[:7]} and has its "
        "changes, too"
    )


def why_skip(target: Target, commit: str, bundle: str | None) -> str | None:
    """Return why a merge deploys nothing to an environment, or None if it does.

    `bundle` is the full id of the bundle, if that matters: after a rollback, a merge that leaves
    it as it is deploys nothing, and is no mistake. Raises GitHubError.
    """
    if why := overtaken(target, commit):
        return why
    return quarantine.warning(target, bundle) if bundle else None


def require(target: Target, commit: str) -> None:
    """Raise SupersededError if a commit that somebody approved is not to be deployed any more.

    Raises GitHubError, too.
    """
    if why := overtaken(target, commit):
        raise SupersededError(
            f"{why}; nothing was deployed",
            "Nothing to do. To return to an older release, run a rollback.",
            command=f"gh workflow run rollback.yml --ref main -f environment={target.name} "
            "-f reason='…'",
        )
