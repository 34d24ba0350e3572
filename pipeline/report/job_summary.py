"""What the GitHub job that deploys or rolls back shows at its end, whatever happened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from botocore.exceptions import BotoCoreError, ClientError

from pipeline import console, github
from pipeline.release import outcome, target
from pipeline.report import release_summary
from pipeline.traffic import alias, invoke
from pipeline.aws import Aws
from pipeline.config import LIVE, Environment
from pipeline.errors import ReleaseUnusableError, describe
from pipeline.release.context import ReleaseContext, Verb
from pipeline.report.release_summary import Ending
from pipeline.traffic.alias import Live


@contextmanager
def job_summary(
    verb: Verb, account: Aws, environment: Environment, reason: str | None
) -> Iterator[ReleaseContext]:
    """Give the facts to be filled in; in a job, make its summary of them, even of a failure.

    A summary that fails is reported, and changes nothing else. A failure says what serves by then.
    """
    context = ReleaseContext(verb, environment, os.environ.get("GITHUB_ACTOR", ""), reason)
    before = _live(account, environment) if github.in_actions() else None
    with outcome.report_traffic_on_error(account, context):
        try:
            yield context
        except BaseException as problem:
            context.problem = problem
            raise
        finally:
            if github.in_actions():
                _summarise(account, context, before)


def _summarise(account: Aws, context: ReleaseContext, before: Live | None) -> None:
    ending: Ending | None = None
    try:
        with suppress(ClientError, BotoCoreError):
            ending = _look(account, context, before)
        github.add_to_summary(release_summary.page(context, ending))
    except Exception as problem:  # whatever it is: what was done is done, and says so by itself
        console.say(f"there is no summary: {describe(problem)}", "yellow")


def _look(account: Aws, context: ReleaseContext, before: Live | None) -> Ending:
    """Look how things are now."""
    environment = context.environment
    live = alias.read(account.functions, environment.function_name)
    way_back = health = None
    with suppress(ReleaseUnusableError):
        way_back = target.choose(account, environment, live).target
    if context.problem and live:
        health = invoke.get_health(account.functions, environment.function_name, LIVE)
    left = target.manifest_of(account, context.serving) if context.serving else None
    return Ending(before, live, left, way_back, health)


def _live(account: Aws, environment: Environment) -> Live | None:
    try:
        return alias.read(account.functions, environment.function_name)
    except (ClientError, BotoCoreError):
        return None
