"""The comment on a pull request that shows what its plans say, one for all environments."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline import github
from pipeline.config import SERVICE
from pipeline.markdown import code

MARKER = f"<!-- {SERVICE} plans -->"
_AUTHOR = "github-actions[bot]"


def body(pages: Mapping[str, str | None], head: str | None, run: str | None) -> str:
    """Return the comment: the page of each environment's plan, or that there is none."""
    parts = [
        page
        or f"### Plan for {environment}: there is none\n\n"
        f"None of commit {code((head or '')[:12])}: [see the run]({run})."
        for environment, page in pages.items()
    ]
    return "\n\n".join([MARKER, *(part.strip() for part in parts)]) + "\n"


def write(number: int, pages: Mapping[str, str | None], planned: str) -> None:
    """Write the comment of a pull request, or update it; raise GitHubError.

    `planned` is the result of the job that plans. If that was skipped, the checks say why; only a
    comment that is there already is brought up to date.
    """
    comments = f"repos/{github.repository()}/issues"
    ours = [
        comment["id"]
        for page in github.pages(f"{comments}/{number}/comments?per_page=100")
        for comment in page
        if comment["user"]["login"] == _AUTHOR and comment["body"].startswith(MARKER)
    ]
    text = body(pages, github.pull_request_head(), github.run_url())
    if ours:
        github.send("PATCH", f"{comments}/comments/{ours[0]}", {"body": text})
    elif planned != "skipped" or any(pages.values()):
        github.send("POST", f"{comments}/{number}/comments", {"body": text})
