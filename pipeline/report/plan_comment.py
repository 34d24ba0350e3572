"""A plan as Markdown, for a pull request, an issue or a job's summary. It shows no value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.report import attributes
from pipeline.bundle.manifest import Manifest, Package
from pipeline.terraform.plan import Change, PlannedChanges, without_index
from pipeline.release.ledger import Release
from pipeline.markdown import bullets, code
from pipeline.inspection.report import Report, describe

SAME = "This is the same as the pull request showed."
DIFFERENT = "This is not what the pull request showed:"
BEYOND = "Not as it was released:"

_UNFOLDED = 10

_HEADINGS = {
    "create": "To create",
    "update": "To update",
    "replace": "To replace",
    "delete": "To destroy",
    "forget": "To forget",
}

_UNFINISHED = {"failed": "failed", "interrupted": "was interrupted", "under way": "is under way"}


@dataclass(frozen=True)
class PackageSizes:
    """A package, and the one of the same name that is live, if there is one."""

    package: Package
    live: Package | None


@dataclass(frozen=True)
class PlanComment:
    """What is known of a plan.

    `commit` is what the bundle was built from, as people know it; `allowed` are the addresses that
    may be destroyed; `beyond` the states that need a person, of which Terraform may see nothing;
    `live` the release that serves and `live_manifest` its bundle's (None if it is damaged);
    `unfinished` the newest release if it did not succeed; `quarantined` why nothing deploys the
    bundle, if it is in quarantine; `refused` why a deployment of the plan would be; `differences`
    those from what the pull request showed (None without a comparison).
    """

    environment: str
    manifest: Manifest
    commit: str | None
    planned: PlannedChanges
    beyond: tuple[str, ...]
    allowed: tuple[str, ...]
    live: Release | None
    live_manifest: Manifest | None
    unfinished: Release | None
    quarantined: str | None
    refused: str | None
    inspection: Report
    differences: tuple[str, ...] | None

    def packages(self) -> list[PackageSizes]:
        live = self.live_manifest.packages() if self.live_manifest else ()
        by_name = {package.name: package for package in live}
        return [
            PackageSizes(package, by_name.get(package.name)) for package in self.manifest.packages()
        ]

    @property
    def empty(self) -> bool:
        """Whether what was released, Terraform and reality agree."""
        return self.planned.empty and not self.beyond

    @property
    def nothing_to_do(self) -> bool:
        """Whether a deployment would have nothing to do."""
        same = self.live is not None and self.live.bundle == self.manifest.id
        return self.empty and same


def page(comment: PlanComment) -> str:
    """Return the page of a plan."""
    parts = [
        [
            f"### Plan for {comment.environment}: {headline(comment.planned, comment.beyond)}",
            _which(comment),
        ],
        _warnings(comment),
        _beyond(comment.beyond),
        _resources(comment.planned),
        _at_once(comment.planned),
        _differences(comment.differences),
        _packages(comment),
        _inspection(comment.inspection),
    ]
    body = "\n\n".join(paragraph for part in parts for paragraph in part)
    return f"{body}\n"


def headline(planned: PlannedChanges, beyond: tuple[str, ...]) -> str:
    """Return what a plan does, in numbers."""
    if planned.empty:
        return "not as it was released" if beyond else "no changes"
    actions = [change.action for change in planned.changes]
    parts = [
        f"{actions.count(action)} {heading.lower()}"
        for action, heading in _HEADINGS.items()
        if action in actions
    ]
    if not parts:
        return "only outputs change"
    if not {"replace", "delete"} & set(actions):
        parts.append("nothing destroyed")
    return ", ".join(parts)


def _which(comment: PlanComment) -> str:
    commit = f"commit {code(comment.commit[:12])}" if comment.commit else "built from no commit"
    return f"Bundle {code(comment.manifest.id[:12])}, {commit}"


def _warnings(comment: PlanComment) -> Iterator[str]:
    if release := comment.unfinished:
        what = f"a {release.kind} of bundle {code(release.bundle[:12])} by {code(release.actor)}"
        yield (
            f"**Release {code(release.label)}, {what}, {_UNFINISHED[release.outcome]}: "
            "what it may have done half-way is part of this plan.**"
        )
    if comment.quarantined:
        yield f"**In quarantine:** {code(comment.quarantined)}"
    if comment.refused:
        yield f"**{code(comment.refused)}**"
    for address in comment.planned.destroyed():
        name = without_index(address)
        label = code(f"allow-destroy:{name}")
        if {address, name} & set(comment.allowed):
            how = f"which {label} allows."
        else:
            how = (
                f"and is refused. To allow it, add the label {label} to the pull request, then "
                "re-run the failed jobs."
            )
        yield f"**This plan destroys or replaces {code(address)}, {how}**"


def _beyond(beyond: tuple[str, ...]) -> Iterator[str]:
    if beyond:
        yield f"**{BEYOND}**"
        yield bullets(map(code, beyond))
        yield "To undo it, see docs/runbook.md, AWS and Terraform differ."


def _resources(planned: PlannedChanges) -> Iterator[str]:
    fold = len(planned.changes) > _UNFOLDED
    if fold:
        yield f"<details><summary>All {len(planned.changes)} resources</summary>"
    for action, heading in _HEADINGS.items():
        changes = [change for change in planned.changes if change.action == action]
        if changes:
            yield f"{heading}:"
            yield bullets(map(_change, changes))
    if planned.outputs:
        yield f"Outputs: {', '.join(map(code, planned.outputs))}"
    if fold:
        yield "</details>"


def _at_once(planned: PlannedChanges) -> Iterator[str]:
    if addresses := planned.at_once():
        yield (
            "**This takes effect with the apply itself, for all versions, also for the one that "
            "serves. No canary covers it, and it stays when live goes back:**"
        )
        yield bullets(map(code, addresses))


def _change(change: Change) -> str:
    """Return what changes of a resource. Of a created or destroyed one that is everything."""
    if change.action not in ("update", "replace"):
        return code(change.address)
    kind = change.address.partition(".")[0]
    words = dict.fromkeys(attributes.in_words(kind, name) for name in change.attributes)
    return f"{code(change.address)}: {', '.join(words)}"


def _differences(differences: tuple[str, ...] | None) -> Iterator[str]:
    if differences is None:
        return
    if not differences:
        yield SAME
    else:
        yield f"**{DIFFERENT}**"
        yield bullets(map(code, differences))


def _packages(comment: PlanComment) -> Iterator[str]:
    live = comment.live
    against = "against what is live"
    if live is None:
        yield f"Nothing is live in {comment.environment} yet."
    else:
        against = f"against release {code(live.label)}, which is live"
        against += f": commit {_cell(live.commit[:12])}" if live.commit else ""
        if comment.live_manifest is None:
            yield f"The bundle of release {code(live.label)} is damaged in the store, or missing."
    rows = [
        f"| {_cell(package.package.name)} | {package.package.size_bytes:,} | {_against(package)} "
        f"| {len(package.package.files):,} |"
        for package in comment.packages()
    ]
    yield "\n".join([f"| package | zipped bytes | {against} | files |", "|---|--:|--:|--:|", *rows])


def _against(sizes: PackageSizes) -> str:
    package, live = sizes.package, sizes.live
    if live is None:
        return "-"
    if package.sha256 == live.sha256:
        return "unchanged"
    more = package.size_bytes - live.size_bytes
    if more == 0:
        return "as large, with other content"
    return f"{more:+,} ({100 * more / live.size_bytes:+.1f} %)"


def _cell(text: str) -> str:
    """Return text as code in a table, where a bar would end the cell."""
    # https://github.github.com/gfm/#tables-extension-
    return code(text).replace("|", "\\|")


def _inspection(report: Report) -> Iterator[str]:
    if not report.findings:
        counts = [
            f"{code(package.name)} ({package.files:,} file{'s' if package.files != 1 else ''})"
            for package in report.info.packages
        ]
        yield f"Inspection: no findings in {' and '.join(counts)}."
        return
    count = len(report.findings)
    yield f"**Inspection: {count} finding{'s' if count > 1 else ''}**"
    yield bullets(code(describe(finding)) for finding in report.findings)
