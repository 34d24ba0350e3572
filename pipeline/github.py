"""GitHub's dialect: annotations in the log (workflow commands), and who and what runs a job."""

from __future__ import annotations

import os


def in_actions() -> bool:
    """Say whether this runs in a GitHub Actions job."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def run_url() -> str | None:
    """Return the address of the workflow run that this is part of, or None outside of one."""
    if not in_actions():
        return None
    environ = os.environ
    server, repository = environ["GITHUB_SERVER_URL"], environ["GITHUB_REPOSITORY"]
    return f"{server}/{repository}/actions/runs/{environ['GITHUB_RUN_ID']}"


def annotation(
    message: str, *, file: str | None = None, line: int | None = None, column: int | None = None
) -> str:
    """Return the workflow command that marks `message` as an error, at a place if one is given."""
    place = {"file": file, "line": line, "col": column}
    properties = ",".join(
        f"{name}={_escape_property(str(value))}" for name, value in place.items() if value
    )
    return f"::error {properties}::{_escape(message)}".replace("::error ::", "::error::", 1)


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
