"""The plan that a pull request showed, which its run of ci.yml keeps."""

from __future__ import annotations

import io
import zipfile

from pipeline import github
from pipeline.config import Environment
from pipeline.errors import GitHubError

# Far above any plan.json, which holds names only.
_MOST_BYTES = 10 * 1024 * 1024


def find(environment: Environment, commit: str) -> bytes | None:
    """Return the plan.json that the pull request showed which was merged as a commit.

    None if there is none: the commit was pushed, the pull request got no role, or its artifact has
    expired. Raises GitHubError.
    """
    repository = f"repos/{github.repository()}"
    head = _head(repository, commit)
    run = _run(repository, head) if head else None
    artifact = _artifact(repository, run, f"plan-{environment.name}") if run else None
    if artifact is None:
        return None
    content = github.download(f"{repository}/actions/artifacts/{artifact}/zip")
    return _member(content, f"{environment.name}/plan.json")


def _head(repository: str, commit: str) -> str | None:
    """Return what the branch was at of the pull request that was merged as a commit."""
    for request in github.get(f"{repository}/commits/{commit}/pulls") or []:
        if request["merge_commit_sha"] == commit:
            return str(request["head"]["sha"])
    return None


def _run(repository: str, head: str) -> int | None:
    """Return the newest run of ci.yml for a branch of this repository; a fork's counts for none."""
    path = f"{repository}/actions/workflows/ci.yml/runs"
    found = github.get(f"{path}?event=pull_request&status=success&head_sha={head}")
    for run in found["workflow_runs"] if found else []:
        if f"repos/{run['head_repository']['full_name']}" == repository:
            return int(run["id"])
    return None


def _artifact(repository: str, run: int, name: str) -> int | None:
    """Return the newest artifact of a name, for each attempt of a run can have one."""
    found = github.get(f"{repository}/actions/runs/{run}/artifacts?name={name}&per_page=100")
    kept = [
        artifact for artifact in (found["artifacts"] if found else []) if not artifact["expired"]
    ]
    return int(max(kept, key=lambda artifact: str(artifact["created_at"]))["id"]) if kept else None


def _member(content: bytes, name: str) -> bytes:
    """Return one file of an archive; raise GitHubError if it does not hold it."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if archive.getinfo(name).file_size > _MOST_BYTES:
                raise GitHubError(
                    f"{name} of the pull request's run is too large", "Check that run."
                )
            return archive.read(name)
    except (KeyError, zipfile.BadZipFile) as error:
        raise GitHubError(
            f"the artifact of the pull request's run has no {name}: {error}",
            "Check the artifacts of its run of ci.yml.",
        ) from error
