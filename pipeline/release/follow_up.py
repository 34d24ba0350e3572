"""What follows once a rollback has restored the traffic: the attestations, and Terraform.

It needs more than AWS: Sigstore, and where Terraform and its provider come from. What fails here
takes nothing back, stays `pending` in the ledger, and is done by the same command, run again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pipeline import labels
from pipeline.bundle.manifest import Bundle
from pipeline.config import LIVE
from pipeline.errors import LostRaceError, PipelineError
from pipeline.release import attestation, publish, state_lock
from pipeline.release.context import ReleaseContext
from pipeline.release.ledger import Ledger, Release
from pipeline.release.publish import Published
from pipeline.sdk_errors import translated_errors
from pipeline.signals import deferred_signals
from pipeline.terraform import runner
from pipeline.terraform.plan import read_plan
from pipeline.traffic import alias, provisioned_concurrency
from pipeline.traffic.alias import AliasSwitch


def follow(
    context: ReleaseContext,
    bundle: Bundle,
    release: Release,
    allowed: tuple[str, ...],
) -> Release:
    """Do all that is pending of a rollback, record it, and return the release.

    One thing that fails keeps none of the others from being done. Raises what failed, all in one.
    """
    records, before = Ledger(context.target), len(context.timeline.phases)
    problems: list[PipelineError] = []
    with records.following(release):
        if "attestation" in release.pending:
            with _kept(problems), context.timeline.phase("verify", "the attestations again"):
                attestation.verify(bundle)
        with _kept(problems):
            _let_terraform_follow(context, bundle, release, allowed)
        if problems:
            raise _all_in_one(problems)
        followed = replace(
            release,
            pending=(),
            attested=release.attested or "attestation" in release.pending,
            plan_sha256=context.planned.sha256 if context.planned else None,
            phases=(*release.phases, *context.timeline.phases[before:]),
        )
        with deferred_signals():
            records.has_followed(followed)
    context.release = followed
    return followed


def _let_terraform_follow(
    context: ReleaseContext,
    bundle: Bundle,
    release: Release,
    allowed: tuple[str, ...],
) -> None:
    """Apply the bundle that serves again, and see that the API leads to it."""
    assert context.switch and release.version
    live = alias.read(context.target.function)
    if live is None or live.version != release.version:
        raise LostRaceError(
            f"{LIVE} {f'points to {labels.version(live.version)}' if live else 'is gone'}; release "
            f"{release.label} had moved it to {labels.version(release.version)}",
            "Check what was done (`status`, CloudTrail), and decide again.",
        )
    published = apply(context, bundle, context.switch, allowed)
    publish.call_api(context, published)
    # It stayed there all the while, or somebody else is named.
    context.switch.promote(release.version)


def apply(
    context: ReleaseContext,
    bundle: Bundle,
    switch: AliasSwitch,
    allowed: tuple[str, ...],
) -> Published:
    """Apply a bundle, so that the next plan is empty; return what was published last.

    It moves no traffic. The verdict on the plan goes into the `context`.
    """
    environment = context.environment
    with runner.workspace(runner.service_stack(environment)) as tf:
        with context.timeline.phase("plan", f"terraform plan of {environment.name}"):
            plan = state_lock.plan(tf, context.target, bundle.manifest)
            context.planned = read_plan(plan.document)
        context.planned.refuse_destruction(allowed)
        with context.timeline.phase("apply", "exactly that plan"):
            switch.provisioned = provisioned_concurrency.is_there(plan.document)
            # Lambda refuses a change of provisioned concurrency while it moves it.
            switch.wait()
            published = publish.apply(context.target, tf, plan, bundle.manifest)
            switch.provisioned = provisioned_concurrency.is_planned(plan.document)
    return published


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
    what = "\n".join(problem.message for problem in problems)
    hint = "\n".join(problem.hint for problem in problems if problem.hint)
    return type(last)(what, hint, file=last.file, line=last.line, column=last.column)
