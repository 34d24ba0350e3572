"""A plan as Markdown, for a pull request, an issue or a job's summary. It shows no value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.commit import short
from pipeline.report import attributes, changes
from pipeline.bundle.manifest import Manifest, Package
from pipeline.terraform.plan import Change, PlannedChanges, without_index
from pipeline.release.ledger import Release
from pipeline.markdown import bullets, code
from pipeline.inspection.report import Report, describe

SAME = "This is the same as the pull request showed."
DIFFERENT = "This is not what the pull request showed:"
BEYOND = "Not as it was released:"

# So many things are listed in a cell of the table; the folded plan has all.
_LISTED = 4
_FUNCTION = "aws_lambda_function"
# The function's attributes that say which bundle it has: code and dependencies, and no setting.
_OF_THE_BUNDLE = ("layers", "s3_key", "s3_object_version", "source_code_hash")
_DONE = {"create": "created", "delete": "destroyed", "forget": "forgotten"}

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
            _facts(comment),
        ],
        _warnings(comment),
        _beyond(comment.beyond),
        _at_once(comment.planned),
        _differences(comment.differences),
        _findings(comment.inspection),
        _resources(comment.planned),
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


def _facts(comment: PlanComment) -> str:
    """Return the table of what a reviewer looks for first."""
    rows = {
        "Release": _from_to(comment),
        "Code": _code(comment),
        "Dependencies": _dependencies(comment),
        "Settings": _settings(comment.planned),
        "Other resources": _others(comment.planned),
        "Covered by no canary": _in_a_cell(map(_cell, comment.planned.at_once()), "nothing"),
        "Inspection": _inspection(comment.inspection),
    }
    lines = [f"| {name} | {text} |" for name, text in rows.items() if text]
    return "\n".join(["| What | Change |", "|---|---|", *lines])


def _from_to(comment: PlanComment) -> str:
    new = _bundle(comment.manifest.id, comment.commit)
    live = comment.live
    if live is None:
        return f"Nothing is live in {comment.environment} yet. To {new}"
    return f"From {_cell(live.label)}, {_bundle(live.bundle, live.commit)}, to {new}"


def _bundle(bundle: str, commit: str | None) -> str:
    built_from = f"commit {_cell(short(commit))}" if commit else "built from no commit"
    return f"bundle {_cell(bundle[:12])}, {built_from}"


def _code(comment: PlanComment) -> str:
    """Return which files of the function differ, and what that comes to in bytes."""
    function = comment.packages()[0]
    size = f"{function.package.size_bytes:,} bytes zipped"
    if function.live is None:
        return f"{_unknown(comment)}{size}"
    if function.package.sha256 == function.live.sha256:
        return "none"
    names = _files(function.live, function.package)
    return f"{_in_a_cell(names, 'packed in another way')}; {size}, {_against(function)}"


def _dependencies(comment: PlanComment) -> str:
    """Return which dependencies differ, or else whether the layer does."""
    layers = comment.packages()[1:]
    if not layers:
        return "no layer"
    [layer] = layers
    size = f"layer of {layer.package.size_bytes:,} bytes zipped"
    if layer.live is None:
        return f"{_unknown(comment)}{size}"
    if layer.package.sha256 == layer.live.sha256:
        return "none"
    versions = [*map(_cell, changes.dependencies(comment.live_manifest, comment.manifest))]
    names = versions or _files(layer.live, layer.package)
    return f"{_in_a_cell(names, 'packed in another way')}; {size}, {_against(layer)}"


def _files(old: Package, new: Package) -> Iterator[str]:
    for each in changes.files(old, new):
        path, _, how = each.rpartition(" ")
        yield f"{_cell(path)} {how}"


def _unknown(comment: PlanComment) -> str:
    """Return why there is nothing to compare with, if the live release should have it."""
    if comment.live is None or comment.live_manifest is not None:
        return ""
    return f"unknown, because the bundle of {_cell(comment.live.label)} is damaged or missing; "


def _settings(planned: PlannedChanges) -> str:
    """Return which settings of the function change; all of a new one do."""
    words: dict[str, None] = {}
    for change in planned.changes:
        kind = change.address.partition(".")[0]
        if kind != _FUNCTION:
            continue
        if change.action not in ("update", "replace"):
            return f"all: the function is {_DONE[change.action]}"
        words |= dict.fromkeys(
            attributes.in_words(kind, name).replace("|", "\\|")
            for name in change.attributes
            if name not in _OF_THE_BUNDLE
        )
    return _in_a_cell(words, "none")


def _others(planned: PlannedChanges) -> str:
    """Return the other resources that change, without the layer: that is a dependency."""
    addresses = [
        change.address
        for change in planned.changes
        if change.address.partition(".")[0] not in (_FUNCTION, "aws_lambda_layer_version")
    ]
    return _in_a_cell(map(_cell, addresses), "none")


def _in_a_cell(texts: Iterable[str], nothing: str) -> str:
    """Return the first texts of a list, and how many more there are."""
    listed = list(texts)
    more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return f"{', '.join(listed[:_LISTED])}{more}" if listed else nothing


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
    """Yield the plan itself, folded."""
    if planned.empty:
        return
    yield f"<details><summary>Terraform plan: {headline(planned, ())}</summary>"
    for action, heading in _HEADINGS.items():
        changed = [change for change in planned.changes if change.action == action]
        if changed:
            yield f"{heading}:"
            yield bullets(map(_change, changed))
    if planned.outputs:
        yield f"Outputs: {', '.join(map(code, planned.outputs))}"
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


def _against(sizes: PackageSizes) -> str:
    """Return by how much a package is larger than the live one."""
    package, live = sizes.package, sizes.live
    assert live
    more = package.size_bytes - live.size_bytes
    return f"{more:+,} ({100 * more / live.size_bytes:+.1f} %)" if more else "as large as before"


def _cell(text: str) -> str:
    """Return text as code in a table, where a bar would end the cell."""
    # https://github.github.com/gfm/#tables-extension-
    return code(text).replace("|", "\\|")


def _inspection(report: Report) -> str:
    if report.findings:
        count = len(report.findings)
        return f"**{count} finding{'s' if count > 1 else ''}**, below"
    counts = [
        f"{_cell(package.name)} ({package.files:,} file{'s' if package.files != 1 else ''})"
        for package in report.info.packages
    ]
    return f"no findings in {' and '.join(counts)}"


def _findings(report: Report) -> Iterator[str]:
    if report.findings:
        yield "**Findings of the inspection:**"
        yield bullets(code(describe(finding)) for finding in report.findings)
