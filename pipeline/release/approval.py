"""Who has to approve a release to production: the environment on GitHub that its job waits for."""

from __future__ import annotations

from pipeline import github
from pipeline.config import APPROVAL
from pipeline.errors import ApprovalError


def require(bundle: str) -> None:
    """Raise ApprovalError unless there is somebody to approve a plan that nobody has seen.

    Raises GitHubError, too.
    """
    environment = github.get(f"repos/{github.repository()}/environments/{APPROVAL}")
    by_hand = f"gh workflow run deploy.yml --ref main -f bundle={bundle} -f reason='…'"
    if environment is None:
        raise ApprovalError(
            "the plan differs from the pull request's, and there is no environment "
            f"{APPROVAL}. Create it, and re-run the failed jobs; or read the plan, and if it is "
            f"right: {by_hand}",
            "`python -m pipeline doctor` prints the command. A private repository has "
            "environments with GitHub Pro, Team or Enterprise only.",
        )
    rules = {rule["type"] for rule in environment["protection_rules"]}
    if "required_reviewers" not in rules:
        raise ApprovalError(
            "the plan differs from the pull request's, and the environment "
            f"{APPROVAL} has no reviewers. Read the plan, and if it is right: {by_hand}",
            f"Or name reviewers of {APPROVAL}, if the repository can have them.",
        )
