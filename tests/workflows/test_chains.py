"""What passes from job to job on GitHub, read off the workflow files: results, and artifacts.

The local runner starts a job when its own needs did well, and keeps one artifact of a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scratch.source import ROOT

WORKFLOWS = ROOT / ".github" / "workflows"
Job = dict[str, Any]
# Names of jobs from the first one to the job itself, through the workflows that are called.
type Place = tuple[str, ...]


def jobs_of(workflow: str) -> dict[str, Job]:
    """Return the jobs of a workflow file."""
    return dict(yaml.safe_load((WORKFLOWS / workflow).read_text())["jobs"])


def ancestors(jobs: dict[str, Job], name: str) -> set[str]:
    """Return all that a job needs, and what those need."""
    needed = jobs[name].get("needs", [])
    direct = {needed} if isinstance(needed, str) else set(needed)
    return direct.union(*(ancestors(jobs, requirement) for requirement in direct))


def skippable(workflow: str, above: bool = False) -> Iterator[tuple[str, Job]]:
    """Yield each job, of a workflow and of those that it calls, that has a skippable ancestor.

    A job with an `if` can be skipped, and so can one that such a job's result skips. `above`:
    an ancestor of the job that calls this workflow can be.
    """
    jobs = jobs_of(workflow)
    for name, job in jobs.items():
        found = above or any("if" in jobs[ancestor] for ancestor in ancestors(jobs, name))
        if found:
            yield f"{workflow}: {name}", job
        if called := job.get("uses"):
            yield from skippable(Path(called).name, found)


STARTED = sorted(
    path.name
    for path in WORKFLOWS.glob("*.yml")
    if "workflow_call" not in yaml.safe_load(path.read_text())[True]
)


@pytest.mark.parametrize("workflow", STARTED)
def test_a_skipped_ancestor_skips_nobody(workflow: str) -> None:
    """`success()`, also the implicit one, is false if any ancestor was skipped.

    https://github.com/actions/runner/issues/491 and 2205. Whether the ancestors of a calling job
    count in the called workflow is not documented, so they do here.
    """
    skipped = [
        name
        for name, job in skippable(workflow)
        if not re.search(r"!cancelled\(\)|always\(\)", str(job.get("if", "")))
    ]
    assert skipped == []


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every step of every workflow, with its file and job."""
    for path in sorted(WORKFLOWS.glob("*.yml")):
        for name, job in jobs_of(path.name).items():
            for step in job.get("steps", []):
                yield f"{path.stem}/{name}", step


def test_a_second_attempt_replaces_what_the_first_uploaded() -> None:
    """An artifact belongs to an attempt: a later job might read the older one of its name."""
    kept = [
        f"{place}: {step['with']['name']}"
        for place, step in steps()
        if step.get("uses", "").startswith("actions/upload-artifact@")
        and step["with"].get("overwrite") is not True
    ]
    assert kept == []


def test_nothing_depends_on_how_many_artifacts_there_are() -> None:
    """download-artifact extracts a single match of a pattern flat, and several into folders.

    https://github.com/actions/download-artifact/issues/416
    """
    for place, step in steps():
        if step.get("uses", "").startswith("actions/download-artifact@"):
            given = step["with"]
            assert "pattern" not in given or given.get("merge-multiple") is True, place


def test_what_is_kept_from_dependabot_is_kept_by_a_condition() -> None:
    """Its runs see the repository's variables; a fork's do not.

    https://github.com/orgs/community/discussions/44088
    """
    conditions = [
        job["if"] for job in jobs_of("ci.yml").values() if "id-token" in job["permissions"]
    ]
    assert conditions and all(
        "github.event.pull_request.user.login != 'dependabot[bot]'" in condition
        for condition in conditions
    )
