"""Who a job is: GitHub knows it, the local runner does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from scratch.source import ROOT
from tests.workflows.fake_github import REPOSITORY
from tests.workflows.fake_actions import OWNER_ID, REPOSITORY_ID

_WORKFLOWS = ROOT / ".github" / "workflows"
_OWNER, _, _NAME = REPOSITORY.partition("/")
_US = f"repo:{_OWNER}@{OWNER_ID}/{_NAME}@{REPOSITORY_ID}"


def subject(jobs: list[dict[str, Any]], event: str, ref: str, inputs: dict[str, str]) -> str:
    """Return the subject of the identity token that GitHub gives a job.

    `jobs` is what `lineage` returned, `inputs` those that the event brings.
    https://docs.github.com/en/actions/reference/security/oidc
    """
    name = environment(jobs, inputs)
    if name:
        return f"{_US}:environment:{name}"
    return f"{_US}:pull_request" if event == "pull_request" else f"{_US}:ref:{ref}"


def workflow_ref(workflow: str, name: str, ref: str) -> str:
    """Return the claim `job_workflow_ref`: the file that has the job, a called one's own.

    `name` is the job's as act prints it.
    """
    if name.count("/") > 1:
        workflow = Path(_caller(workflow, name)["uses"]).name
    return f"{REPOSITORY}/.github/workflows/{workflow}@{ref}"


def environment(jobs: list[dict[str, Any]], inputs: dict[str, str]) -> str | None:
    """Return the name of a job's environment, if it has one; the parameters are `subject`'s."""
    found = jobs[-1].get("environment")
    found = found["name"] if isinstance(found, dict) else found
    values = jobs[0].get("with", {}) if len(jobs) > 1 else inputs
    for name, value in values.items():
        found = found and found.replace(f"${{{{ inputs.{name} }}}}", str(value))
    return str(found) if found else None


def may_have_identity(jobs: list[dict[str, Any]]) -> bool:
    """Return whether a job may ask for a token: what its caller may not, a called job may not."""
    return all(job["permissions"].get("id-token") == "write" for job in jobs)


def lineage(workflow: str, name: str, job_id: str) -> list[dict[str, Any]]:
    """Return a job as its workflow has it, after the job that calls that workflow if there is one.

    `name` is the job's as act prints it: `workflow/job`, or `caller/workflow/job`.
    """
    jobs = _jobs(workflow)
    if name.count("/") == 1:
        return [jobs[job_id]]
    caller = _caller(workflow, name)
    return [caller, _jobs(Path(caller["uses"]).name)[job_id]]


def _caller(workflow: str, name: str) -> dict[str, Any]:
    called_as = name.partition("/")[0]
    return next(job for job in _jobs(workflow).values() if job["name"] == called_as)


def _jobs(workflow: str) -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load((_WORKFLOWS / workflow).read_text())["jobs"])
