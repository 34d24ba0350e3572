"""destroy: destroy an environment, except for what holds data."""

from __future__ import annotations

import sys
from typing import Any

import click

from pipeline import aws
from pipeline.cli import console
from pipeline.release import ledger, rollback_target
from pipeline.terraform import runner
from pipeline.cli.options import environment_option
from pipeline.config import Environment
from pipeline.errors import PipelineError, StoppedError
from pipeline.cli.help import examples
from pipeline.terraform.plan import read_plan
from pipeline.release.ledger import Ledger
from pipeline.config import ARCHITECTURE, HANDLER, LAYER, RUNTIME, SERVICE
from pipeline.target import Target


@click.command(
    "destroy",
    epilog=examples(
        "destroy --environment staging",
        "destroy --environment staging --yes staging",
    ),
)
@environment_option
@click.option(
    "--yes",
    "confirmed",
    metavar="NAME",
    help="Name of the environment, to destroy it without a prompt.",
)
def command(environment: Environment, confirmed: str | None) -> None:
    """Destroy an environment.

    Shows what Terraform would destroy, and asks for confirmation. The ledger, the bundles, the
    layer versions and the parameters stay.
    """
    _require_a_word(environment, confirmed)
    target = Target(aws.connect(), environment)
    ledger.close_what_died(target)
    with runner.workspace(runner.service_stack(environment)) as tf:
        plan = tf.plan(target.aws, _variables(target), destroy=True)
        changes = read_plan(plan.document).changes
        if not changes:
            console.result(f"nothing to destroy: Terraform's state of {environment.name} is empty")
            return
        for change in changes:
            console.say(f"  - {change.address}")
        if confirmed is None:
            _confirm(target)
            # A release may have begun meanwhile.
            ledger.close_what_died(target)
        try:
            tf.apply(plan)
        except PipelineError as problem:
            problem.command = f"python -m pipeline destroy --environment {environment.name}"
            raise
    console.result(f"{environment.name} is destroyed. These remain:\n")
    for line in _left(target):
        console.result(line)


def _require_a_word(environment: Environment, confirmed: str | None) -> None:
    """Raise click.UsageError if `confirmed` is another name, or there is no terminal to ask."""
    if confirmed is None and not sys.stdin.isatty():
        raise click.UsageError(
            f"There is no terminal for a confirmation. Use --yes {environment.name}."
        )
    if confirmed not in (None, environment.name):
        raise click.UsageError(
            f"--yes is {confirmed!r}, but --environment is {environment.name!r}. Use the same name "
            "for both."
        )


def _confirm(target: Target) -> None:
    """Ask for the environment's name. Raises StoppedError if the answer is another."""
    typed = click.prompt(
        f"Terraform will destroy all of this in {target.name}, account {target.aws.account_id}. "
        "Enter the name of the environment to confirm"
    )
    if typed != target.name:
        raise StoppedError(f"{typed!r} is not {target.name}; nothing was destroyed")


def _variables(target: Target) -> dict[str, Any]:
    """Return the variables of the bundle that serves, or else any valid ones.

    Terraform destroys what its state names.
    """
    serving = Ledger(target).serving()
    manifest = rollback_target.manifest_of(target.aws, serving) if serving else None
    if manifest:
        return runner.bundle_variables(target.aws, manifest)
    return runner.function_variables(target.aws) | {
        "function_package": {"key": "-", "sha256_base64": "-"},
        "layer_package": None,
        "handler": HANDLER,
        "runtime": RUNTIME,
        "architecture": ARCHITECTURE,
    }


def _left(target: Target) -> list[str]:
    """Return what Terraform does not destroy, each with its location."""
    account, environment = target.aws, target.environment
    layer = f"aws lambda list-layer-versions --layer-name {environment.layer_name}"
    parameters = f"aws ssm get-parameters-by-path --path /{SERVICE}/{target.name}"
    return [
        *([f"the layer's versions: {layer}"] if LAYER else []),
        f"the parameters: {parameters}",
        f"the ledger: s3://{account.artifact_bucket}/ledger/{target.name}/",
        f"the bundles, of all environments: s3://{account.artifact_bucket}/bundles/ and packages/",
        f"older versions of the state: s3://{account.state_bucket}/{environment.state_key}",
    ]
