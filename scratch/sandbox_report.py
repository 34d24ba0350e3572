"""What a throw-away account is expected to do, step by step, and where AWS did something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline import markdown

ADMINISTRATOR = "administrator"
_SUCCEEDS, _NO_CHANGES, _EMPTY = "succeeds", "succeeds, without a change", "the plan is empty"
_NOTHING = "there is nothing to do"
# The end of a long output says what went wrong.
_LINES = 40


@dataclass(frozen=True)
class Step:
    """A step, the role that it is done with, and what is expected of it."""

    name: str
    role: str
    expected: str


@dataclass(frozen=True)
class Seen:
    """What a step's command did: its exit status, and what it wrote."""

    status: int
    stdout: str = ""
    stderr: str = ""


# Of a step that has begun, until it has ended.
CUT_OFF = Seen(1, stderr="it was cut off")

BOOTSTRAP = Step("bootstrap", ADMINISTRATOR, _SUCCEEDS)
BOOTSTRAP_AGAIN = Step("bootstrap again", ADMINISTRATOR, _NO_CHANGES)
RELEASE = Step("first release", "staging-deploy", _SUCCEEDS)
AFTER_RELEASE = Step("plan after the release", "staging-plan", _EMPTY)
PROMOTION = Step("first release to production", "production-deploy", _SUCCEEDS)
RELEASE_AGAIN = Step("the release again", "staging-deploy", _NOTHING)
# deploy.yml asks nobody to approve an empty plan of what production serves.
AFTER_PROMOTION = Step("plan of production", "production-plan", _EMPTY)
CHANGE = Step("change of code and settings", "staging-deploy", _SUCCEEDS)
AFTER_CHANGE = Step("plan after the change", "staging-plan", _EMPTY)
ROLLBACK = Step("rollback", "staging-rollback", _SUCCEEDS)
AFTER_ROLLBACK = Step("plan after the rollback", "staging-plan", _EMPTY)
DESTROY = Step("destroy staging", "staging-deploy", _SUCCEEDS)
DESTROY_PRODUCTION = Step("destroy production", "production-deploy", _SUCCEEDS)
DESTROY_ACCOUNT = Step("destroy the account's part", ADMINISTRATOR, _SUCCEEDS)
STEPS = (
    BOOTSTRAP,
    BOOTSTRAP_AGAIN,
    RELEASE,
    AFTER_RELEASE,
    PROMOTION,
    RELEASE_AGAIN,
    AFTER_PROMOTION,
    CHANGE,
    AFTER_CHANGE,
    ROLLBACK,
    AFTER_ROLLBACK,
    DESTROY,
    DESTROY_PRODUCTION,
    DESTROY_ACCOUNT,
)


def difference(step: Step, seen: Seen | None) -> str:
    """Return what a step did instead of what is expected of it; nothing if it did that."""
    if seen is None:
        return "not reached"
    if seen.status != 0:
        return f"failed with exit status {seen.status}"
    if step.expected == _NO_CHANGES and "No changes." not in seen.stderr.splitlines():
        return "succeeded, with changes"
    if step.expected == _NOTHING and not seen.stdout.startswith("nothing to do: "):
        return "there was something to do"
    # Further lines are what Terraform does not see: where live points, code changed by hand.
    if step.expected == _EMPTY and seen.stdout.strip() != "No changes.":
        return "the plan is not empty"
    return ""


def differs(seen: Mapping[str, Seen]) -> bool:
    """Return whether any step did not do what is expected of it."""
    return any(difference(step, seen.get(step.name)) for step in STEPS)


def report(account: str, seen: Mapping[str, Seen]) -> str:
    """Return the report as Markdown: a row a step, and the output of each that differs."""
    differences = {step: difference(step, seen.get(step.name)) for step in STEPS}
    count = sum(map(bool, differences.values()))
    planned = f"{count} of {len(STEPS)} steps differ" if count else "as expected"
    lines = [
        f"## Account {account}: {planned}",
        "",
        "| step | with the role | expected | what AWS did | |",
        "|---|---|---|---|---|",
    ]
    for step, found in differences.items():
        did, same = (found, "**different**") if found else (step.expected, "same")
        lines.append(f"| {step.name} | {step.role} | {step.expected} | {did} | {same} |")
    for step, found in differences.items():
        if found and step.name in seen:
            lines += ["", f"### {step.name}: {found}", "", markdown.block(_tail(seen[step.name]))]
    return "\n".join([*lines, ""])


def _tail(seen: Seen) -> list[str]:
    return [*seen.stdout.splitlines(), *seen.stderr.splitlines()][-_LINES:]
