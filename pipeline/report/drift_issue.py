"""The issue that says where reality and Terraform differ, until they agree again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline import github

_TITLE = "Reality and Terraform differ"
_LABEL = "drift"
_AUTHOR = "github-actions[bot]"
_WHAT_TO_DO = """\
What Terraform would change, and what it does not see (where live points, code changed by hand). Did
a deployment fail half-way? The plan says so, and the next one that does well puts it right.
Otherwise somebody changed it by hand: put that into Terraform, or deploy what is live again."""

# Why an environment was not planned: it has nothing, or a release is changing it.
NotPlanned = Literal["never deployed", "under way"]
_NOT_PLANNED: tuple[NotPlanned, ...] = ("never deployed", "under way")


@dataclass(frozen=True)
class Look:
    """What was found in one environment.

    `page` is its plan in Markdown if something differs; `is_known` whether that could be found
    out, and `is_settled` whether it says that everything agrees.
    """

    page: str | None
    is_known: bool
    is_settled: bool


def note(folder: Path, reason: NotPlanned) -> None:
    """Leave in an environment's folder why it is not planned."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state.json").write_text(json.dumps({"not_planned": reason}) + "\n", "utf-8")


def read(folder: Path) -> Look:
    """Read what an environment's folder says; a plan that left nothing there has failed."""
    plan, page, state = folder / "plan.json", folder / "plan.md", folder / "state.json"
    if plan.is_file() and page.is_file():
        empty = bool(json.loads(plan.read_text("utf-8"))["empty"])
        return Look(None if empty else page.read_text("utf-8"), True, empty)
    if state.is_file():
        reason = json.loads(state.read_text("utf-8"))["not_planned"]
        return Look(None, reason in _NOT_PLANNED, reason == "never deployed")
    return Look(None, False, False)


def body(looks: Mapping[str, Look], run: str | None) -> str | None:
    """Return what the issue says, or None if there is nothing to say."""
    unknown = [name for name, look in looks.items() if not look.is_known]
    pages = [look.page for look in looks.values() if look.page]
    parts = [
        *(
            f"### {name} could not be planned\n\nWhether it differs is not known: see the run."
            for name in unknown
        ),
        *([_WHAT_TO_DO] if pages else []),
        *pages,
    ]
    return "\n\n".join([f"[The run]({run})", *parts]) + "\n" if parts else None


def report(looks: Mapping[str, Look]) -> None:
    """Open the issue, update it or close it; raise GitHubError."""
    issues = f"repos/{github.repository()}/issues"
    found = github.pages(f"{issues}?labels={_LABEL}&state=open&per_page=100")
    number = _ours(issue for page in found for issue in page)
    if text := body(looks, github.run_url()):
        if number:
            github.send("PATCH", f"{issues}/{number}", {"body": text})
        else:
            github.send("POST", issues, {"title": _TITLE, "labels": [_LABEL], "body": text})
    elif number and all(look.is_settled for look in looks.values()):
        agree = f"Reality and Terraform agree again: [the run]({github.run_url()})."
        github.send("POST", f"{issues}/{number}/comments", {"body": agree})
        github.send("PATCH", f"{issues}/{number}", {"state": "closed"})


def _ours(issues: Iterable[dict[str, Any]]) -> int | None:
    """Return the number of the issue that this wrote; pull requests are issues here, too."""
    for issue in issues:
        if "pull_request" not in issue and issue["user"]["login"] == _AUTHOR:
            return int(issue["number"])
    return None
