"""Who has to approve a release to production: the environment on GitHub that its job waits for."""

from __future__ import annotations

from pipeline import github
from pipeline.config import APPROVAL
from pipeline.errors import ApprovalError


def insist(bundle: str) -> None:
    """Raise ApprovalError unless there is somebody to approve a plan that nobody has seen.

    Raises GitHubError, too.
    """
    environment = github.get(f"repos/{github.repository()}/environments/{APPROVAL}")
    by_hand = f"gh workflow run deploy.yml --ref main -f bundle={bundle} -f reason='…'"
    if environment is None:
        raise ApprovalError(
            f"the plan is not the one that the pull request showed, and there is no environment "
            f"{APPROVAL}",
            "`python -m pipeline doctor` says how to make it; then re-run the failed jobs. A "
            "private repository has environments with GitHub Pro, Team or Enterprise only; "
            f"without them, read the plan, and if it is right: {by_hand}",
        )
    rules = {rule["type"] for rule in environment["protection_rules"]}
    if "required_reviewers" not in rules:
        raise ApprovalError(
            "the plan is not the one that the pull request showed, and the environment "
            f"{APPROVAL} asks nobody",
            f"Read the plan, and if it is right: {by_hand}",
        )
