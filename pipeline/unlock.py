"""unlock: take away a lock on Terraform's state whose holder is dead."""

from __future__ import annotations

import click

from pipeline import aftermath, aws, output, terraform
from pipeline.environment import Environment, environment_option
from pipeline.examples import examples


@click.command(
    "unlock",
    epilog=examples("unlock --environment staging 3b5bd0a2-6f0f-4b1e-9a60-0a1d1b2c3d4e"),
)
@environment_option
@click.argument("lock_id", metavar="ID")
@aftermath.untouched("a lock moves none")
def command(environment: Environment, lock_id: str) -> None:
    """Take a dead process's lock of the state away.

    ID is what the refusal named, so that no newer lock goes by mistake. Be sure that its holder is
    dead: two Terraforms at once damage the state.
    """
    with terraform.workspace(terraform.service_stack(environment)) as tf:
        tf.unlock(aws.connect(), lock_id)
    output.result(f"the lock {lock_id} of {environment.name} is gone")
