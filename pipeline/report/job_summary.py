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
from pipeline.errors import ReleaseUnusable, describe
from pipeline.release.context import Facts, Verb
from pipeline.report.release_summary import Ending
from pipeline.traffic.alias import Live


@contextmanager
def summarised(
    verb: Verb, account: Aws, environment: Environment, reason: str | None
) -> Iterator[Facts]:
    """Give the facts to be filled in; in a job, make its summary of them, even of a failure.

    A summary that fails is reported, and changes nothing else. A failure says what serves by then.
    """
    facts = Facts(verb, environment, os.environ.get("GITHUB_ACTOR", ""), reason)
    before = _live(account, environment) if github.in_actions() else None
    with outcome.told(account, facts):
        try:
            yield facts
        except BaseException as problem:
            facts.problem = problem
            raise
        finally:
            if github.in_actions():
                _summarise(account, facts, before)


def _summarise(account: Aws, facts: Facts, before: Live | None) -> None:
    ending: Ending | None = None
    try:
        with suppress(ClientError, BotoCoreError):
            ending = _look(account, facts, before)
        github.add_to_summary(release_summary.page(facts, ending))
    except Exception as problem:  # whatever it is: what was done is done, and says so by itself
        console.say(f"there is no summary: {describe(problem)}", "yellow")


def _look(account: Aws, facts: Facts, before: Live | None) -> Ending:
    """Look how things are now."""
    environment = facts.environment
    live = alias.read(account.functions, environment.function_name)
    way_back = health = None
    with suppress(ReleaseUnusable):
        way_back = target.choose(account, environment, live).target
    if facts.problem and live:
        health = invoke.look_at_health(account.functions, environment.function_name, LIVE)
    left = target.manifest_of(account, facts.serving) if facts.serving else None
    return Ending(before, live, left, way_back, health)


def _live(account: Aws, environment: Environment) -> Live | None:
    try:
        return alias.read(account.functions, environment.function_name)
    except (ClientError, BotoCoreError):
        return None
