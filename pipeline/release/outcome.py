"""What an error means for live's traffic at that moment, and what to type next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from pipeline import github, labels
from pipeline.traffic import alias
from pipeline.config import DEPLOYED_FROM_GITHUB, LIVE, Environment
from pipeline.errors import AwsError, InspectionError, PipelineError, StoppedError, UsageError
from pipeline.sdk_errors import translated_errors
from pipeline.traffic.alias import Live, AliasSwitch

if TYPE_CHECKING:
    from pipeline.release.context import ReleaseContext


@contextmanager
def report_traffic_on_error(context: ReleaseContext) -> Iterator[None]:
    """Let an error that ends a deployment or a rollback say where live points then."""
    try:
        with translated_errors():
            yield
    except (PipelineError, KeyboardInterrupt) as problem:
        error = problem if isinstance(problem, PipelineError) else _stopped()
        error.traffic = _look(context)
        error.command = error.command or _after(context, error)
        raise error from problem.__cause__


def no_traffic_moved[**P](why: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Return a decorator of a command that moves no traffic: its errors say so, and `why`."""

    def decorate(command: Callable[P, None]) -> Callable[P, None]:
        @wraps(command)
        def with_traffic(*arguments: P.args, **options: P.kwargs) -> None:
            try:
                with translated_errors():
                    command(*arguments, **options)
            except PipelineError as problem:
                # `report_traffic_on_error` knows more, and a usage error is no release.
                if not problem.traffic and not isinstance(problem, UsageError):
                    problem.traffic = f"unchanged: {why}"
                    problem.command = problem.command or _instead(problem, options["environment"])
                raise

        return with_traffic

    return decorate


def in_words(switch: AliasSwitch | None, now: Live | None) -> str:
    """Return what serves `now`, and what a command had to do with it.

    Without a `switch` it did not come as far as to move anything.
    """
    serves = _serves(now)
    if switch is None:
        return f"not touched: {serves}"
    before = switch.before
    if before is None:
        # Terraform makes the alias, and points it to the first version there is.
        all_the_same = (
            "although it failed: nothing served before, so there is nothing to go back to"
        )
        return f"{serves}, {all_the_same}" if now else f"unchanged: {serves}"
    if now and switch.is_back(now):
        return (
            f"back at {labels.version(now.version)}: {serves}"
            if switch.moved
            else f"unchanged: {serves}"
        )
    if now is None or not switch.pointed_to(now):
        return f"moved by somebody else: {serves}"
    return f"{serves}, and it could not be taken back" if switch.undoing else f"moved: {serves}"


def _look(context: ReleaseContext) -> str:
    function = context.target.function
    try:
        return in_words(context.switch, alias.read(function))
    # A second signal ends this, too.
    except (ClientError, BotoCoreError, KeyboardInterrupt):
        untouched = "" if context.switch else "not touched; what serves is "
        return (
            f"{untouched}not known, because AWS cannot be reached: see "
            f"aws lambda get-alias --function-name {function.name} --name {LIVE}"
        )


def _serves(live: Live | None) -> str:
    return live.in_words() if live else "nothing serves"


def _stopped() -> StoppedError:
    return StoppedError("stopped before it was done")


def _after(context: ReleaseContext, problem: PipelineError) -> str:
    """Return the command that shows most of what failed, or ends what was begun."""
    environment, release = context.environment, context.release
    options = f"--environment {environment.name}"
    if isinstance(problem, InspectionError):
        return "python -m pipeline build"
    if context.operation in ("rollback", "follow-up") and release and context.restored:
        if github.in_actions():
            return how_to_roll_back(environment, context.restored.number)[0]
        return f"python -m pipeline rollback {options} --to {context.restored.number}"
    if context.operation == "deploy" and release and release.version:
        return f"python -m pipeline logs {options} --version {release.version}"
    if context.operation == "deploy" and context.manifest and context.planned:
        return f"python -m pipeline plan {options} --bundle {context.manifest.id[:12]}"
    return _instead(problem, environment)


def how_to_roll_back(environment: Environment, number: int | str | None) -> tuple[str, ...]:
    """Return the commands that roll back: through GitHub, if it deploys there, and at a desk.

    `number` is that of the release to restore, or what stands in its place in a template; None for
    the one before.
    """
    release, to = (f" -f release={number}", f" --to {number}") if number else ("", "")
    desk = f'python -m pipeline rollback --environment {environment.name}{to} --reason "…"'
    if environment.name not in DEPLOYED_FROM_GITHUB:
        return (desk,)
    through_github = (
        "gh workflow run rollback.yml --ref main "
        f'-f environment={environment.name}{release} -f reason="…"'
    )
    return (through_github, desk)


def _instead(problem: PipelineError, environment: object) -> str:
    if isinstance(problem, AwsError):
        return "aws sts get-caller-identity"
    assert isinstance(environment, Environment)
    return f"python -m pipeline releases --environment {environment.name} --limit 5"
