"""GitHub's dialect: annotations, outputs and summaries of a job, and who and what runs it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pipeline.errors import GitHubError

# "Job summaries … are limited to 1 MiB" for each step; more is an error, and nothing is displayed.
# https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
_SUMMARY_BYTES = 1024 * 1024


def in_actions() -> bool:
    """Return whether this runs in a GitHub Actions job."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def run_url() -> str | None:
    """Return the address of the workflow run that this is part of, or None outside of one."""
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, run_id = (os.environ.get(name) for name in names)
    if not in_actions() or not (server and repository and run_id):
        return None
    return f"{server}/{repository}/actions/runs/{run_id}"


def pull_request_head() -> str | None:
    """Return the commit that the job's pull request brings, or None outside of one.

    What is checked out there is a merge of it, which nobody knows and which stays nowhere.
    """
    path = os.environ.get("GITHUB_EVENT_PATH")
    if not in_actions() or not path:
        return None
    event = json.loads(Path(path).read_text("utf-8"))
    return str(event["pull_request"]["head"]["sha"]) if "pull_request" in event else None


def annotation(
    message: str,
    *,
    level: Literal["error", "notice"] = "error",
    file: str | None = None,
    line: int | None = None,
    column: int | None = None,
) -> str:
    """Return the workflow command that shows `message`, at a place if one is given."""
    place = {"file": file, "line": line, "col": column}
    properties = ",".join(
        f"{name}={_escape_property(str(value))}" for name, value in place.items() if value
    )
    return f"::{level} {properties}".rstrip() + f"::{_escape(message)}"


def set_output(name: str, value: str) -> None:
    """Set an output of the job's step; outside of a job, do nothing."""
    if in_actions():
        # A delimiter that nobody can guess: else a value could set other outputs.
        delimiter = secrets.token_hex(16)
        _append("GITHUB_OUTPUT", f"{name}<<{delimiter}\n{value}\n{delimiter}\n")


def add_to_summary(markdown: str) -> None:
    """Add to the summary that the run's page shows; outside of a job, do nothing.

    What is over GitHub's limit is cut off at the end of a line.
    """
    if in_actions():
        _append("GITHUB_STEP_SUMMARY", cut(markdown, _SUMMARY_BYTES - 1024, "Cut off here.") + "\n")


def cut(markdown: str, limit_bytes: int, pointer: str) -> str:
    """Return Markdown that is at most `limit_bytes` of UTF-8 long, but for a closing `pointer`.

    It ends at the end of a line, closes a block of code and folded parts (`<details>`) that are
    open there, and says with `pointer` where the rest is. Short enough Markdown stays as it is.
    """
    if len(markdown.encode()) <= limit_bytes:
        return markdown
    kept: list[str] = []
    size = 0
    for line in markdown.splitlines(keepends=True):
        size += len(line.encode())
        if size > limit_bytes:
            break
        kept.append(line)
    fences = sum(line.startswith("```") for line in kept)
    text = "".join(kept).rstrip("\n")
    text += "\n```" if fences % 2 else ""
    text += "\n\n</details>" * (text.count("<details") - text.count("</details>"))
    return f"{text}\n\n{pointer}\n"


def _append(variable: str, text: str) -> None:
    """Append to the file that GitHub names in `variable`; where there is none, say so once."""
    try:
        with Path(os.environ[variable]).open("a", encoding="utf-8") as file:
            file.write(text)
    except KeyError:
        _say_once(f"{variable} is not set: what would go there is left out")
    except OSError as error:
        _say_once(f"{variable} cannot be written: {error}")


@cache
def _say_once(message: str) -> None:
    print(annotation(message, level="notice"), file=sys.stderr)


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")


def pull_request_number() -> int:
    """Return the number of the job's pull request; raise GitHubError outside of one."""
    path = os.environ.get("GITHUB_EVENT_PATH")
    event = json.loads(Path(path).read_text("utf-8")) if in_actions() and path else {}
    if "pull_request" not in event:
        raise GitHubError("this is not the job of a pull request", "Run it in ci.yml.")
    return int(event["pull_request"]["number"])


def repository() -> str:
    """Return the job's repository, as OWNER/NAME; raise GitHubError outside of a job."""
    if name := os.environ.get("GITHUB_REPOSITORY"):
        return name
    raise GitHubError("the GitHub repository is unknown", "Set GITHUB_REPOSITORY=OWNER/NAME.")


def get(path: str) -> Any | None:
    """Return what GitHub's REST API answers at a path, or None if there is nothing.

    Raises GitHubError.
    """
    found = _call(path)
    return None if found is None else json.loads(found)


def pages(path: str) -> list[Any]:
    """Return the pages that GitHub's REST API answers at a path, none if there is nothing.

    Raises GitHubError.
    """
    found = _call("--paginate", "--slurp", path)
    return [] if found is None else list(json.loads(found))


def send(method: Literal["POST", "PATCH"], path: str, body: dict[str, Any]) -> None:
    """Send a document to GitHub's REST API; raise GitHubError."""
    _insist(path, _call("--method", method, "--input", "-", path, stdin=json.dumps(body)))


def graphql(query: str, **variables: str) -> Any:
    """Return the `data` that GitHub's GraphQL API answers to a query; raise GitHubError."""
    body = json.dumps({"query": query, "variables": variables})
    return json.loads(_insist("graphql", _call("graphql", "--input", "-", stdin=body)))["data"]


def download(path: str) -> bytes:
    """Return the file that GitHub's REST API gives at a path; raise GitHubError."""
    return _insist(path, _call(path))


def _insist(path: str, answer: bytes | None) -> bytes:
    if answer is None:
        raise GitHubError(f"GitHub's API returned 404 for {path}", "Check the token's permissions.")
    return answer


def _call(*arguments: str, stdin: str | None = None) -> bytes | None:
    """Call GitHub's API through its client `gh`, which knows who is asking; None: it has nothing.

    Raises GitHubError.
    """
    # As bytes, for a file's sake.
    done = _gh("api", *arguments, stdin=stdin.encode() if stdin is not None else None)
    if done.returncode == 0:
        return done.stdout
    printed = done.stderr.decode(errors="replace").strip()
    if "(HTTP 404)" in printed:
        return None
    what = printed.splitlines()[-1] if printed else f"gh ended with exit status {done.returncode}"
    raise GitHubError(
        f"GitHub's API: {what}",
        "Check that gh is logged in, and its permissions.",
        command="gh auth status",
    )


def cancel(run: str) -> None:
    """Cancel a workflow run, by its address; raise GitHubError.

    https://docs.github.com/en/rest/actions/workflow-runs#cancel-a-workflow-run
    """
    path = f"repos{urlsplit(run).path}/cancel"
    try:
        _insist(path, _call("--method", "POST", path))
    except GitHubError as problem:
        # It has ended, or is about to.
        if "(HTTP 409)" not in problem.message:
            raise


def verify_attestation(file: Path, workflow: str) -> None:
    """Verify that a workflow of this job's repository built a file on main.

    Raises GitHubError if it did not, or if whoever keeps and signs attestations is out of reach.
    """
    name = repository()
    done = _gh(
        *("attestation", "verify", str(file), "--repo", name),
        *("--signer-workflow", f"{name}/.github/workflows/{workflow}"),
        *("--source-ref", "refs/heads/main"),
    )
    if done.returncode != 0:
        lines = (done.stderr + done.stdout).decode(errors="replace").strip().splitlines()
        raise GitHubError(
            f"gh attestation verify: {lines[-1] if lines else f'exit status {done.returncode}'}"
        )


def _gh(*arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("gh")
    if program is None:
        raise GitHubError("gh is not installed (not on PATH)", "Install it: https://cli.github.com")
    return subprocess.run([program, *arguments], capture_output=True, input=stdin)
