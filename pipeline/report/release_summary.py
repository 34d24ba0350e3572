"""The summary of a deployment or a rollback, as Markdown for the page of the job that did it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline import labels
from pipeline.commit import short
from pipeline.bundle.manifest import Manifest
from pipeline.config import Environment
from pipeline.errors import PipelineError, describe
from pipeline.markdown import block, bullets, code, one_line
from pipeline.report import changes
from pipeline.release.context import ReleaseContext
from pipeline.release.ledger import Release
from pipeline.release.outcome import how_to_roll_back
from pipeline.terraform.plan import in_words
from pipeline.timeline import Timeline
from pipeline.traffic.alias import Live
from pipeline.traffic.invoke import Health


@dataclass(frozen=True)
class Ending:
    """How things are at the end, whatever happened.

    `left` is the manifest of the bundle that served before, `way_back` the release that a rollback
    would restore now, `health` that of live if the operation failed.
    """

    live_before: Live | None
    live: Live | None
    left: Manifest | None
    way_back: Release | None
    health: Health | None


def page(context: ReleaseContext, ending: Ending | None) -> str:
    """Return the summary. Without an `ending`, AWS could not be reached at the end."""
    left = ending.left if ending else None
    parts = [
        [f"## {context.environment.name}: {_headline(context, ending)}"],
        [_by_whom(context)],
        _what_changes(context, left),
        _timeline(context.timeline) if context.operation != "dry run" else [],
        _health(context, ending),
        _failure(context, ending) if context.problem else [],
        _how_to_do_it(context) if context.operation == "dry run" else _way_back(context, ending),
    ]
    return "\n\n".join(paragraph for part in parts for paragraph in part) + "\n"


def preview(context: ReleaseContext, left: Manifest | None) -> list[str]:
    """Return what a rollback would do, for a terminal, a line each."""
    lines = [f"{label:<8} {one_line(text)}" for label, text in _releases(context)]
    if context.manifest:
        lines += [f"{'package':<8} {line}" for line in _packages(left, context.manifest)]
        lines += [f"{'needs':<8} {line}" for line in changes.dependencies(left, context.manifest)]
    lines += [f"{'settings':<8} {name} is different" for name in context.settings]
    return lines + [f"{'then':<8} {line}" for line in _after_rollback(context)]


def _headline(context: ReleaseContext, ending: Ending | None) -> str:
    bundle = context.manifest.id[:12] if context.manifest else ""
    if context.release and context.release.pending:
        rest = "something has not followed" if context.problem else "Terraform follows"
        return f"traffic is back at release {_number(context.release.restores)}, {rest}"
    if context.problem and context.operation == "dry run" and context.proved:
        return "a rollback would restore traffic, and then fail"
    if context.problem:
        what = {
            "deploy": "deployment",
            "rollback": "rollback",
            "follow-up": "end of a rollback",
            "dry run": "dry run of a rollback",
        }
        return f"{what[context.operation]} failed, {_where(ending)}"
    if context.operation == "dry run":
        return "what a rollback would do"
    if context.release is None:
        return f"nothing to do, it serves bundle {bundle} already"
    if context.operation == "follow-up":
        return f"Terraform has followed the rollback to release {_number(context.release.restores)}"
    if context.restored:
        return f"rolled back to release {_number(context.restored.number)}"
    return f"release {_number(context.release.number)} serves bundle {bundle}"


def _number(number: int | None) -> str:
    """Return a release's number as code, or GitHub would link it as that of an issue."""
    return code(labels.release(number))


def _where(ending: Ending | None) -> str:
    """Return where live points at the end."""
    if ending is None:
        return "and what live serves is unknown: AWS cannot be reached"
    if ending.live is None:
        return "nothing serves"
    stayed = ending.live_before and ending.live.same_route_as(ending.live_before)
    return f"live {'stays at' if stayed else 'points to'} {labels.version(ending.live.version)}"


def _by_whom(context: ReleaseContext) -> str:
    parts = [f"By {code(context.actor)}"]
    if context.manifest and context.manifest.commit:
        parts.append(f"commit {code(short(context.manifest.commit))}")
    if context.operation != "dry run":
        parts.append(f"reason: {code(context.reason)}" if context.reason else "no reason given")
    return ", ".join(parts)


def _what_changes(context: ReleaseContext, left: Manifest | None) -> Iterator[str]:
    if context.manifest is None:
        return
    if context.operation == "dry run":
        yield "### What would change"
        yield bullets(f"{label}: {code(text)}" for label, text in _releases(context))
    else:
        yield "### What was to change" if context.problem else "### What changed"
    if context.planned:
        yield block(in_words(context.planned))
    differences = [
        *_packages(left, context.manifest),
        *changes.dependencies(left, context.manifest),
    ]
    differences += [f"setting {name} is different" for name in context.settings]
    if not context.problem:
        differences += _after_rollback(context)
    yield bullets(map(code, differences))


def _packages(left: Manifest | None, manifest: Manifest) -> Iterator[str]:
    """Return for each package whether it changes, and its size."""
    before = {package.name: package for package in left.packages()} if left else {}
    for package in manifest.packages():
        size = f"{package.size_bytes:,} bytes"
        old = before.get(package.name)
        if old and old.sha256 == package.sha256:
            size = f"unchanged, {size}"
        elif old and old.size_bytes == package.size_bytes:
            size = f"changed, {size}"
        elif old:
            size = f"{old.size_bytes:,} → {size}"
        yield f"{package.name}: {size}"
        if old and old.sha256 != package.sha256:
            yield from (f"{package.name}: {each}" for each in changes.files(old, package))


def _releases(context: ReleaseContext) -> Iterator[tuple[str, str]]:
    for label, release in (("serves", context.serving), ("restore", context.restored)):
        if label == "serves" and context.moved:
            yield label, f"{context.moved}: somebody moved live"
        elif release:
            text = f"release {release.label}, bundle {release.bundle[:12]}"
            text += f", commit {short(release.commit)}" if release.commit else ""
            text += f", by {release.actor} at {release.began[:19]}Z"
            yield label, text + (f": {release.reason}" if release.reason else "")


def what_follows(context: ReleaseContext) -> str:
    """Return what follows a rollback: the bad bundle must not be deployed again by a merge."""
    assert context.serving and context.manifest
    if context.restored and context.restored.number == context.serving.number:
        return "live is where the ledger says again, and no bundle goes into quarantine"
    if context.serving.bundle == context.manifest.id:
        return (
            f"the settings of {context.serving.label}, in which alone it was different, "
            "are still in terraform/: take them back there, or the next release brings them again"
        )
    if context.operation == "dry run":
        goes = "would go into"
    else:
        goes = "is in" if context.release else "goes into"
    return f"bundle {context.serving.bundle[:12]} {goes} quarantine"


def _after_rollback(context: ReleaseContext) -> Iterator[str]:
    if context.operation != "deploy" and context.serving and context.manifest:
        yield what_follows(context)
        if context.quarantined:
            yield f"{context.quarantined}; to restore it takes it out of quarantine"


def _timeline(timeline: Timeline) -> Iterator[str]:
    if timeline.phases:
        yield f"### Timeline: {timeline.seconds:.1f} s"
        yield "\n".join(["```mermaid", *timeline.to_mermaid(), "```"])


def _health(context: ReleaseContext, ending: Ending | None) -> Iterator[str]:
    seen = {
        "before the switch": context.health_before,
        "after the switch": context.health_after,
        "at the API's URL": context.health_of_api,
        "now": ending.health if ending else None,
    }
    parts = [f"{when}: {code(health.in_words())}" for when, health in seen.items() if health]
    if parts:
        yield "### Health of live"
        yield bullets(parts)


def _failure(context: ReleaseContext, ending: Ending | None) -> Iterator[str]:
    problem = context.problem
    assert problem
    yield "### What failed"
    if context.timeline.failed:
        yield f"In the phase {code(context.timeline.failed)}:"
    parts = [describe(problem)]
    if isinstance(problem, PipelineError):
        parts += filter(None, (problem.hint, problem.command))
    yield block("\n\n".join(parts).splitlines())
    where = _where(ending)
    yield f"{where[0].upper()}{where[1:]}."
    if context.release and context.release.pending:
        yield f"Not done yet: {', '.join(context.release.pending)}. This finishes it:"
        yield from _commands(context.environment, context.release.restores)


def _how_to_do_it(context: ReleaseContext) -> Iterator[str]:
    if context.restored and context.proved:
        yield "### To do it"
        yield from _commands(context.environment, context.restored.number)


def _way_back(context: ReleaseContext, ending: Ending | None) -> Iterator[str]:
    if ending is None:
        return
    yield "### Going back"
    if ending.way_back is None:
        yield "There is no release to go back to."
    else:
        target = f"release {ending.way_back.label}, bundle {ending.way_back.bundle[:12]}"
        yield f"If what serves now is bad, this restores {code(target)}:"
        # A rollback without a number finishes first what is pending.
        pending = context.release and context.release.pending
        yield from _commands(context.environment, ending.way_back.number if pending else None)


def _commands(environment: Environment, number: int | None) -> Iterator[str]:
    for command in how_to_roll_back(environment, number):
        yield block([command])
