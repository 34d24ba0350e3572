"""plan: what Terraform would do with a bundle, for people and for machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from pipeline import aws, github
from pipeline.cli import console
from pipeline.bundle import store
from pipeline.bundle.manifest import Bundle
from pipeline.cli.help import examples
from pipeline.cli.options import allow_destroy_option, environment_option, former_name
from pipeline.config import Environment
from pipeline.errors import BundleError, ReleaseUnusableError, did_you_mean
from pipeline.inspection.inspector import inspect_loaded
from pipeline.markdown import code, one_line
from pipeline.packaging import freshness
from pipeline.release import observation, outcome, quarantine, state, rollback_target
from pipeline.release.ledger import Release
from pipeline.report import changes, plan_comment
from pipeline.report.plan_comment import PlanComment
from pipeline.terraform import plan_diff, runner
from pipeline.terraform.plan import in_words, read_plan
from pipeline.terraform.plan_diff import PlanSnapshot
from pipeline.traffic import provisioned_concurrency
from pipeline.target import Target

# Two of them fit into one issue, which holds 65,536 characters.
_PAGE_BYTES = 30_000


@click.command(
    "plan",
    epilog=examples("plan --environment staging", "plan --environment production --bundle live"),
)
@environment_option
@click.option(
    "--bundle",
    "reference",
    default="build",
    show_default=True,
    help="Folder of a bundle, the id of a stored bundle, or `live` for the bundle that serves.",
)
@allow_destroy_option
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write plan.json and plan.md into. Neither contains values.",
)
@former_name("--save", "--out", "folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--compare-with",
    "reviewed_file",
    type=click.Path(path_type=Path),
    metavar="PLAN.JSON",
    help="Print the differences from an earlier plan, as --out wrote it.",
)
@former_name("--shown", "--compare-with", "reviewed_file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@outcome.no_traffic_moved("a plan moves none")
def command(
    environment: Environment,
    reference: str,
    allowed: tuple[str, ...],
    folder: Path | None,
    reviewed_file: Path | None,
    as_json: bool,
) -> None:
    """Show the Terraform plan for a bundle.

    Changes nothing, and takes no lock of the state.
    """
    target = Target(aws.connect(), environment)
    facts = _plan(target, reference, allowed, reviewed_file)
    if as_json:
        console.result_json(document(facts))
    else:
        console.say(changes.heading(facts.environment, facts.live, facts.manifest))
        for line in changes.between(facts.live_manifest, facts.manifest):
            console.say(f"    {line}")
        for line in in_words(facts.planned) + _beyond_in_words(facts.beyond):
            console.result(line)
        for line in _differences_in_words(facts.differences):
            console.result(line)
    page = plan_comment.page(facts)
    if folder:
        save(folder, facts, page, reference)
    github.add_to_summary(page)
    source = freshness.warning(reference, facts.manifest)
    for warning in filter(None, (source, facts.quarantined, facts.refused)):
        console.notice(warning)
    _set_outputs(facts)
    facts.planned.refuse_destruction(allowed)


def _plan(
    target: Target,
    reference: str,
    allowed: tuple[str, ...],
    reviewed_file: Path | None,
) -> PlanComment:
    """Plan, and collect what the comment shows. Writes and locks nothing."""
    seen = observation.observe(target)
    newest, live = seen.serving.newest, seen.serving.release
    bundle = _load(target, reference, live)
    with runner.workspace(runner.service_stack(target.environment)) as tf:
        variables = runner.bundle_variables(target.aws, bundle.manifest)
        plan = tf.plan(target.aws, variables, lock=False).document
    planned = read_plan(plan)
    differences = None
    if reviewed_file:
        differences = plan_diff.differences(PlanSnapshot.of(planned), plan_diff.read(reviewed_file))
    return PlanComment(
        environment=target.name,
        manifest=bundle.manifest,
        commit=github.pull_request_head() or bundle.manifest.commit,
        planned=planned,
        beyond=tuple(found.with_command() for found in state.find(seen)),
        allowed=allowed,
        live=live,
        live_manifest=rollback_target.manifest_of(target.aws, live) if live else None,
        unfinished=newest if newest and newest.outcome != "succeeded" else None,
        quarantined=quarantine.warning(target, bundle.id),
        refused=None if planned.empty else _refused(plan, target.environment),
        inspection=inspect_loaded(bundle),
        differences=differences,
    )


def _refused(plan: dict[str, Any], environment: Environment) -> str | None:
    """Return why a deployment of this plan would be refused by what it says of live."""
    if not provisioned_concurrency.is_planned(plan):
        return None
    refusal = provisioned_concurrency.refusal(plan, environment, environment.rollout().percents)
    return f"a deployment is refused: {refusal.message}. {refusal.hint}" if refusal else None


def document(facts: PlanComment) -> dict[str, Any]:
    """Return what plan.json holds."""
    live = facts.live
    return {
        "environment": facts.environment,
        "bundle": facts.manifest.id,
        **facts.planned.to_json(),
        "empty": facts.empty,
        "beyond_terraform": list(facts.beyond),
        "packages": [
            {
                "name": package.package.name,
                "size_bytes": package.package.size_bytes,
                "sha256": package.package.sha256,
                "live_size_bytes": package.live.size_bytes if package.live else None,
                "live_sha256": package.live.sha256 if package.live else None,
            }
            for package in facts.packages()
        ],
        "live": (
            {"release": live.number, "bundle": live.bundle, "commit": live.commit} if live else None
        ),
        "differences": None if facts.differences is None else list(facts.differences),
    }


def _load(target: Target, reference: str, live: Release | None) -> Bundle:
    """Return the bundle; raise ReleaseUnusableError if it is `live` and nothing is."""
    if reference != "live":
        try:
            return store.load(target.aws, reference)
        except BundleError as problem:
            if reference.lower() == "live":
                problem.hint, problem.command = did_you_mean(reference.lower(), ["live"]), ""
            raise
    if live is None:
        raise ReleaseUnusableError(
            f"no bundle is live: {target.name} has no releases",
            "Plan with a local bundle: --bundle build",
        )
    return store.fetch(target.aws, live.bundle)


def _beyond_in_words(beyond: tuple[str, ...]) -> list[str]:
    return [plan_comment.BEYOND, *(f"    {one_line(line)}" for line in beyond)] if beyond else []


def _differences_in_words(differences: tuple[str, ...] | None) -> list[str]:
    if differences is None:
        return []
    if not differences:
        return [plan_comment.SAME]
    return [plan_comment.DIFFERENT, *(f"    {one_line(line)}" for line in differences)]


def save(folder: Path, facts: PlanComment, page: str, reference: str) -> None:
    """Write plan.json, and plan.md, which says where the rest is if it is too long."""
    if url := github.run_url():
        pointer = f"Cut off here: [the summary of the run]({url}) has the whole."
    else:
        again = f"python -m pipeline plan --environment {facts.environment} --bundle {reference}"
        pointer = f"Cut off here: {code(again)} prints the whole."
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_text(json.dumps(document(facts), indent=2) + "\n", "utf-8")
    (folder / "plan.md").write_text(github.cut(page, _PAGE_BYTES, pointer), "utf-8")


def _set_outputs(facts: PlanComment) -> None:
    """Set the outputs of the job's step."""
    github.set_output("sha256", facts.planned.sha256)
    text = {
        "empty": facts.empty,
        "nothing-to-do": facts.nothing_to_do,
        "quarantined": facts.quarantined is not None,
    }
    if facts.differences is not None:
        text["differs"] = bool(facts.differences)
    for name, holds in text.items():
        github.set_output(name, str(holds).lower())
