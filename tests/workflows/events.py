"""The fields of the event that started a workflow, as far as our workflows read them."""

from __future__ import annotations

from typing import Any

from tests.workflows.fake_github import REPOSITORY


def pull_request(
    number: int, head: str, *, repository: str = REPOSITORY, author: str = "ann"
) -> dict[str, Any]:
    """A pull request was opened or pushed to; its branch, now at `head`, is in `repository`."""
    return {
        "number": number,
        "pull_request": {
            "number": number,
            "user": {"login": author},
            "head": {"ref": "change", "sha": head, "repo": {"full_name": repository}},
            "base": {"ref": "main"},
        },
    }


def push(message: str = "A change") -> dict[str, Any]:
    """Commits arrived on main."""
    return {"ref": "refs/heads/main", "head_commit": {"message": message}}


def dispatch(ref: str = "refs/heads/main", **inputs: str) -> dict[str, Any]:
    """Somebody started the workflow by hand. Every input is text in the event, `"true"` as well."""
    return {"ref": ref, "inputs": {name.replace("_", "-"): value for name, value in inputs.items()}}
