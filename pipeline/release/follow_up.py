"""What follows once a rollback has restored the traffic: the attestations, and Terraform.

It needs more than AWS: Sigstore, and where Terraform and its provider come from. What fails here
takes nothing back, stays `pending` in the ledger, and is done by the same command, run again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pipeline.aws import Aws
from pipeline.bundle.manifest import Bundle
from pipeline.config import LIVE
from pipeline.errors import LostRace, PipelineError
from pipeline.release import attestation, publish, state_lock
from pipeline.release.context import Facts
from pipeline.release.ledger import Ledger, Release
from pipeline.release.publish import Published
from pipeline.sdk_errors import translated_errors
from pipeline.signals import uninterrupted
from pipeline.terraform import runner
from pipeline.terraform.plan import judge
from pipeline.traffic import alias, api_url, invoke, provisioned_concurrency
from pipeline.traffic.alias import Switch


def follow(
    account: Aws, facts: Facts, bundle: Bundle, release: Release, allowed: tuple[str, ...]
) -> Release:
    """Do all that is pending of a rollback, record it, and return the release.

    One thing that fails keeps none of the others from being done. Raises what failed, all in one.
    """
    records, before = Ledger(account, facts.environment), len(facts.timeline.phases)
    problems: list[PipelineError] = []
    with records.following(release):
        if "attestation" in release.pending:
            with _kept(problems), facts.timeline.phase("verify", "the attestations again"):
                attestation.verify(bundle)
        with _kept(problems):
            _let_terraform_follow(account, facts, bundle, release, allowed)
        if problems:
            raise _all_in_one(problems)
        followed = replace(
            release,
            pending=(),
            attested=release.attested or "attestation" in release.pending,
            plan_sha256=facts.verdict.sha256 if facts.verdict else None,
            phases=(*release.phases, *facts.timeline.phases[before:]),
        )
        with uninterrupted():
            records.has_followed(followed)
    facts.release = followed
    return followed


def _let_terraform_follow(
    account: Aws, facts: Facts, bundle: Bundle, release: Release, allowed: tuple[str, ...]
) -> None:
    """Apply the bundle that serves again, and see that the API leads to it."""
    assert facts.switch and release.version
    live = alias.read(account.functions, facts.environment.function_name)
    if live is None or live.version != release.version:
        raise LostRace(
            f"{LIVE} {f'points to version {live.version}' if live else 'is gone'}; release "
            f"{release.number} had moved it to version {release.version}",
            "See what was done (`python -m pipeline releases`, CloudTrail), and decide again.",
        )
    published = apply(account, facts, bundle, facts.switch, allowed)
    call_api(account, facts, published)
    # It stayed there all the while, or somebody else is named.
    facts.switch.to(release.version)


def apply(
    account: Aws, facts: Facts, bundle: Bundle, switch: Switch, allowed: tuple[str, ...]
) -> Published:
    """Apply a bundle, so that the next plan is empty; return what was published last.

    It moves no traffic. The verdict on the plan goes into the `facts`.
    """
    environment = facts.environment
    with runner.workspace(runner.service_stack(environment)) as tf:
        with facts.timeline.phase("plan", f"terraform plan of {environment.name}"):
            plan = state_lock.plan(tf, account, environment, bundle.manifest)
            facts.verdict = judge(plan.document)
        facts.verdict.refuse_destruction(allowed)
        with facts.timeline.phase("apply", "exactly that plan"):
            switch.provisioned = provisioned_concurrency.is_there(plan.document)
            # Lambda refuses a change of provisioned concurrency while it moves it.
            switch.wait()
            published = publish.apply(account, environment, tf, plan, bundle.manifest)
            switch.provisioned = provisioned_concurrency.is_planned(plan.document)
    return published


def call_api(account: Aws, facts: Facts, published: Published) -> None:
    """See that callers reach live through the API; raise CheckFailed if not."""
    assert facts.verdict
    name = facts.environment.function_name
    for url in published.urls:
        with facts.timeline.phase("call", f"{url}, as callers do"):
            facts.health_of_api = api_url.require_answer(
                url,
                lambda: invoke.look_at_health(account.functions, name, LIVE),
                api_url.patience_s(facts.verdict),
            )


@contextmanager
def _kept(problems: list[PipelineError]) -> Iterator[None]:
    """Keep an error for later."""
    try:
        with translated_errors():
            yield
    except PipelineError as problem:
        problems.append(problem)


def _all_in_one(problems: list[PipelineError]) -> PipelineError:
    """Return the last error, which is Terraform's if that failed, with what all of them say."""
    last = problems[-1]
    what = "\n".join(each.what for each in problems)
    remedy = "\n".join(each.remedy for each in problems if each.remedy)
    return type(last)(what, remedy, file=last.file, line=last.line, column=last.column)
