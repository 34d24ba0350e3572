"""The errors of all commands: a stable id, an exit code, what happened, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class PipelineError(Exception):
    """A failure or a failed check. Each subclass has a stable id.

    `message` is what happened, `hint` what to do, and `command` the complete command to run next.
    `file`, `line` and `column` (from 1) are the place of the cause in a file. `traffic` is what
    serves at that moment, for commands that can move live.
    """

    id: ClassVar[str]
    exit_status: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        command: str = "",
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.file = file
        self.line = line
        self.column = column
        self.command = command
        self.traffic = ""


class UsageError(PipelineError):
    """The call itself was wrong: nothing was tried."""

    id = "usage"
    exit_status = 2


class SourceError(PipelineError):
    """The handler's source does not compile for the deployed Python."""

    id = "source-does-not-compile"


class LayerError(PipelineError):
    """The layer could not be made from its lock file."""

    id = "layer-not-built"


class HandlerImportError(PipelineError):
    """The handler cannot be imported from the built packages."""

    id = "handler-not-imported"


class BundleError(PipelineError):
    """A bundle is missing, unreadable, or not what its manifest says."""

    id = "bundle-unusable"


class InspectionError(PipelineError):
    """The inspection of a bundle has findings."""

    id = "inspection-failed"


class AwsError(PipelineError):
    """AWS refused a call, or cannot be reached."""

    id = "aws-failed"


class GitHubError(PipelineError):
    """GitHub refused a call, or cannot be reached."""

    id = "github-failed"


class TerraformError(PipelineError):
    """Terraform is missing or too old, or failed."""

    id = "terraform-failed"


class StateLockedError(PipelineError):
    """Somebody else's Terraform holds the state's lock."""

    id = "state-locked"


class PlanRefusedError(PipelineError):
    """The plan destroys or replaces a protected resource."""

    id = "plan-refused"


class PlanChangedError(PipelineError):
    """The plan is not the one that was approved."""

    id = "plan-changed"


class LostRaceError(PipelineError):
    """Somebody else changed the same thing first."""

    id = "lost-race"


class QuarantinedError(PipelineError):
    """The bundle was rolled back once; deploying it again needs a person's word."""

    id = "bundle-quarantined"


class NotPromotedError(PipelineError):
    """The bundle did not do well in the environment before this one."""

    id = "not-promoted"


class UncommittedError(PipelineError):
    """The bundle was built from a tree with uncommitted changes."""

    id = "not-committed"


class SupersededError(PipelineError):
    """A newer commit was deployed first."""

    id = "superseded"


class ApprovalError(PipelineError):
    """Somebody has to approve it, and nobody can."""

    id = "not-approved"


class CheckFailedError(PipelineError):
    """A version was called and did not answer as it must."""

    id = "check-failed"


class CanaryFailedError(PipelineError):
    """The canary is worse than what live does at the same time."""

    id = "canary-failed"


class ReleaseUnusableError(PipelineError):
    """There is no such release, or it cannot be restored."""

    id = "release-unusable"


class NotReadyError(PipelineError):
    """Something that releases need is not in place."""

    id = "not-ready"


class AttestationError(PipelineError):
    """A package has no attestation of build.yml on main, or it could not be verified."""

    id = "attestation-not-verified"


class StoppedError(PipelineError):
    """A person (Ctrl-C) or a cancelled job (SIGINT, then SIGTERM) stopped the command."""

    id = "stopped"


def describe(problem: BaseException) -> str:
    """Return what happened in words, for the ledger."""
    if isinstance(problem, PipelineError):
        return problem.message
    if isinstance(problem, KeyboardInterrupt):
        return "stopped"
    return f"{type(problem).__name__}: {problem}"


def did_you_mean(given: str, known: Iterable[str], *, alike: float = 0.5) -> str:
    """Return "Did you mean …?" for the nearest name, or "" if none is `alike` enough (0 to 1)."""
    near = get_close_matches(given, sorted(set(known)), cutoff=alike)
    return f"Did you mean {' or '.join(map(repr, near))}?" if near else ""
