"""What the GitHub job that deploys or rolls back shows at its end, whatever happened."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from botocore.exceptions import BotoCoreError, ClientError

from pipeline import github
from pipeline.release import outcome, rollback_target
from pipeline.report import release_summary
from pipeline.traffic import alias, invoke
from pipeline.config import LIVE
from pipeline.errors import ReleaseUnusableError, describe
from pipeline.release.context import ReleaseContext, Operation
from pipeline.report.release_summary import Ending
from pipeline.traffic.alias import Live
from pipeline.target import Target

log = logging.getLogger(__name__)


@contextmanager
def job_summary(
    operation: Operation, target: Target, reason: str | None
) -> Iterator[ReleaseContext]:
    """Yield the context to fill in. In a job, write its summary, also after a failure.

    A summary that fails is reported, and changes nothing else. A failure says what serves by then.
    """
    context = ReleaseContext(operation, target, os.environ.get("GITHUB_ACTOR", ""), reason)
    before = _live(target) if github.in_actions() else None
    with outcome.report_traffic_on_error(context):
        try:
            yield context
        except BaseException as problem:
            context.problem = problem
            raise
        finally:
            if github.in_actions():
                _summarise(context, before)


def _summarise(context: ReleaseContext, before: Live | None) -> None:
    ending: Ending | None = None
    try:
        with suppress(ClientError, BotoCoreError):
            ending = _look(context, before)
        github.add_to_summary(release_summary.page(context, ending))
    except Exception as problem:  # whatever it is: what was done is done, and says so by itself
        log.warning(f"the job summary could not be written: {describe(problem)}")


def _look(context: ReleaseContext, before: Live | None) -> Ending:
    """Return how things are now."""
    target = context.target
    live = alias.read(target.function)
    way_back = health = None
    with suppress(ReleaseUnusableError):
        way_back = rollback_target.choose(target, live).release
    if context.problem and live:
        health = invoke.get_health(target.function, LIVE)
    left = (
        rollback_target.manifest_of(context.target.aws, context.serving)
        if context.serving
        else None
    )
    return Ending(before, live, left, way_back, health)


def _live(target: Target) -> Live | None:
    try:
        return alias.read(target.function)
    except (ClientError, BotoCoreError):
        return None
