"""The summary of a deployment or a rollback, as Markdown for the page of the job that did it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.bundle.manifest import Manifest, Package
from pipeline.config import Environment
from pipeline.errors import PipelineError, describe
from pipeline.markdown import block, bullets, code, one_line
from pipeline.release.context import Facts
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
    would restore now, `health` that of live if the verb failed.
    """

    live_before: Live | None
    live: Live | None
    left: Manifest | None
    way_back: Release | None
    health: Health | None


def page(facts: Facts, ending: Ending | None) -> str:
    """Return the summary; without an `ending`, AWS could not be asked how things are."""
    left = ending.left if ending else None
    parts = [
        [f"## {facts.environment.name}: {_headline(facts, ending)}"],
        [_by_whom(facts)],
        _what_changes(facts, left),
        _timeline(facts.timeline) if facts.verb != "dry run" else [],
        _health(facts, ending),
        _failure(facts, ending) if facts.problem else [],
        _how_to_do_it(facts) if facts.verb == "dry run" else _way_back(facts, ending),
    ]
    return "\n\n".join(paragraph for part in parts for paragraph in part) + "\n"


def preview(facts: Facts, left: Manifest | None) -> list[str]:
    """Return what a rollback would do, for a terminal, a line each."""
    lines = [f"{label:<8} {one_line(text)}" for label, text in _releases(facts)]
    if facts.manifest:
        lines += [f"{'package':<8} {line}" for line in _packages(left, facts.manifest)]
        lines += [f"{'needs':<8} {line}" for line in _dependencies(left, facts.manifest)]
    lines += [f"{'settings':<8} {name} is different" for name in facts.settings]
    return lines + [f"{'then':<8} {line}" for line in _after_rollback(facts)]


def _headline(facts: Facts, ending: Ending | None) -> str:
    bundle = facts.manifest.id[:12] if facts.manifest else ""
    if facts.release and facts.release.pending:
        rest = "something has not followed" if facts.problem else "Terraform follows"
        return f"traffic is back at release {facts.release.restores}, {rest}"
    if facts.problem and facts.verb == "dry run" and facts.proved:
        return "a rollback would restore traffic, and then fail"
    if facts.problem:
        what = {
            "deploy": "deployment",
            "rollback": "rollback",
            "follow-up": "end of a rollback",
            "dry run": "dry run of a rollback",
        }
        return f"{what[facts.verb]} failed, {_where(ending)}"
    if facts.verb == "dry run":
        return "what a rollback would do"
    if facts.release is None:
        return f"nothing to do, it serves bundle {bundle} already"
    if facts.verb == "follow-up":
        return f"Terraform has followed the rollback to release {facts.release.restores}"
    if facts.restored:
        return f"rolled back to release {facts.restored.number}"
    return f"release {facts.release.number} serves bundle {bundle}"


def _where(ending: Ending | None) -> str:
    """Say where live points at the end."""
    if ending is None:
        return "and AWS could not be asked where live points"
    if ending.live is None:
        return "nothing serves"
    stayed = ending.live_before and ending.live.same_route_as(ending.live_before)
    return f"live {'stays at' if stayed else 'points to'} version {ending.live.version}"


def _by_whom(facts: Facts) -> str:
    told = [f"By {code(facts.actor)}"]
    if facts.manifest and facts.manifest.commit:
        told.append(f"commit {code(facts.manifest.commit[:12])}")
    if facts.verb != "dry run":
        told.append(f"reason: {code(facts.reason)}" if facts.reason else "no reason given")
    return ", ".join(told)


def _what_changes(facts: Facts, left: Manifest | None) -> Iterator[str]:
    if facts.manifest is None:
        return
    if facts.verb == "dry run":
        yield "### What would change"
        yield bullets(f"{label}: {code(text)}" for label, text in _releases(facts))
    else:
        yield "### What was to change" if facts.problem else "### What changed"
    if facts.verdict:
        yield block(in_words(facts.verdict))
    changes = [*_packages(left, facts.manifest), *_dependencies(left, facts.manifest)]
    changes += [f"setting {name} is different" for name in facts.settings]
    if not facts.problem:
        changes += _after_rollback(facts)
    yield bullets(map(code, changes))


def _packages(left: Manifest | None, manifest: Manifest) -> Iterator[str]:
    """Say of each package whether it is another one, and how large."""
    before = {package.name: package for package in left.packages()} if left else {}
    for package in manifest.packages():
        size = f"{package.size_bytes:,} bytes"
        old = before.get(package.name)
        if old and old.sha256 == package.sha256:
            size = f"unchanged, {size}"
        elif old:
            size = f"{old.size_bytes:,} → {size}"
        yield f"{package.name}: {size}"
        if old and old.sha256 != package.sha256:
            yield from _files(old, package)


def _dependencies(left: Manifest | None, manifest: Manifest) -> Iterator[str]:
    """Name the dependencies that are locked to another version, with both."""
    before, after = left.dependencies if left else {}, manifest.dependencies
    for name in sorted(before.keys() | after.keys()) if left else ():
        if before.get(name) != after.get(name):
            yield f"{name}: {before.get(name, 'none')} → {after.get(name, 'none')}"


def _files(old: Package, new: Package) -> Iterator[str]:
    """Name what differs in two packages, but for the many files of a dependency: its name does."""
    before, after = ({each.path: each.sha256 for each in one.files} for one in (old, new))
    parts: dict[str, set[str]] = {}
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            how = "changed" if path in before and path in after else "added"
            how = "removed" if path not in after else how
            # A layer's files lie in python/<dependency>/.
            part = path.split("/")[1] if path.startswith("python/") else path
            parts.setdefault(part, set()).add(how)
    for part, ways in parts.items():
        yield f"{new.name}: {part} {'changed' if len(ways) > 1 else min(ways)}"


def _releases(facts: Facts) -> Iterator[tuple[str, str]]:
    for label, release in (("serves", facts.serving), ("restore", facts.restored)):
        if release:
            told = f"release {release.number}, bundle {release.bundle[:12]}"
            told += f", commit {release.commit[:12]}" if release.commit else ""
            told += f", by {release.actor} at {release.began[:19]}Z"
            yield label, told + (f": {release.reason}" if release.reason else "")


def what_follows(facts: Facts) -> str:
    """Say what comes after a rollback: what was left must not come back by itself."""
    assert facts.serving and facts.manifest
    if facts.serving.bundle == facts.manifest.id:
        return (
            f"the settings of release {facts.serving.number}, in which alone it was different, are "
            "still in terraform/: take them back there, or the next release brings them again"
        )
    would = "would be" if facts.verb == "dry run" else "is"
    return f"bundle {facts.serving.bundle[:12]} {would} in quarantine"


def _after_rollback(facts: Facts) -> Iterator[str]:
    if facts.verb != "deploy" and facts.serving and facts.manifest:
        yield what_follows(facts)
        if facts.quarantined:
            yield f"{facts.quarantined}; it stays in quarantine, though it serves again"


def _timeline(timeline: Timeline) -> Iterator[str]:
    if timeline.phases:
        yield f"### Timeline: {timeline.seconds:.1f} s"
        yield "\n".join(["```mermaid", *timeline.to_mermaid(), "```"])


def _health(facts: Facts, ending: Ending | None) -> Iterator[str]:
    seen = {
        "before the switch": facts.health_before,
        "after the switch": facts.health_after,
        "at the API's URL": facts.health_of_api,
        "now": ending.health if ending else None,
    }
    told = [f"{when}: {code(health.in_words())}" for when, health in seen.items() if health]
    if told:
        yield "### Health of live"
        yield bullets(told)


def _failure(facts: Facts, ending: Ending | None) -> Iterator[str]:
    problem = facts.problem
    assert problem
    yield "### What failed"
    if facts.timeline.failed:
        yield f"In the phase {code(facts.timeline.failed)}:"
    told = [describe(problem)]
    if isinstance(problem, PipelineError):
        told += filter(None, (problem.remedy, problem.command))
    yield block("\n\n".join(told).splitlines())
    where = _where(ending)
    yield f"{where[0].upper()}{where[1:]}."
    if facts.release and facts.release.pending:
        yield f"Not done yet: {', '.join(facts.release.pending)}. This finishes it:"
        yield from _commands(facts.environment, facts.release.restores)


def _how_to_do_it(facts: Facts) -> Iterator[str]:
    if facts.restored and facts.proved:
        yield "### To do it"
        yield from _commands(facts.environment, facts.restored.number)


def _way_back(facts: Facts, ending: Ending | None) -> Iterator[str]:
    if ending is None:
        return
    yield "### Going back"
    if ending.way_back is None:
        yield "There is no release to go back to."
    else:
        target = f"release {ending.way_back.number}, bundle {ending.way_back.bundle[:12]}"
        yield f"If what serves now is bad, this restores {code(target)}:"
        # A rollback without a number finishes first what is pending.
        pending = facts.release and facts.release.pending
        yield from _commands(facts.environment, ending.way_back.number if pending else None)


def _commands(environment: Environment, number: int | None) -> Iterator[str]:
    for command in how_to_roll_back(environment, number):
        yield block([command])
