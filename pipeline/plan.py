"""plan: what Terraform would do with a bundle, for people and for machines."""

from __future__ import annotations

import click

from pipeline import aws, output, store, terraform
from pipeline.environment import Environment, environment_option
from pipeline.judge import Verdict, judge

bundle_option = click.option(
    "--bundle",
    "reference",
    default="build",
    show_default=True,
    help="The bundle: a folder, or the id of one that was deployed before.",
)

allow_destroy_option = click.option(
    "--allow-destroy",
    "allowed",
    multiple=True,
    metavar="ADDRESS",
    help="Let the plan destroy or replace this guarded resource. Can be given again.",
)


@click.command("plan")
@environment_option
@bundle_option
@allow_destroy_option
@click.option("--json", "as_json", is_flag=True, help="Print the plan for machines.")
def command(
    environment: Environment, reference: str, allowed: tuple[str, ...], as_json: bool
) -> None:
    """Show what Terraform would do with a bundle, and change nothing."""
    account = aws.connect()
    manifest = store.load(account, reference).manifest
    with terraform.workspace(environment) as tf:
        verdict = judge(tf.plan(account, manifest).document)
    if as_json:
        document = {"environment": environment.name, "bundle": manifest.id} | verdict.to_json()
        output.result_json(document)
    else:
        for line in in_words(verdict):
            output.result(line)
    verdict.refuse_destruction(allowed)


def in_words(verdict: Verdict) -> list[str]:
    """Return what a plan does, a line each."""
    if verdict.empty:
        return ["No changes."]
    lines = [change.in_words() for change in verdict.changes]
    if verdict.outputs:
        lines.append(f"    outputs: {', '.join(verdict.outputs)}")
    return lines
