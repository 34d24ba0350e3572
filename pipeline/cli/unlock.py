"""unlock: force-unlock the Terraform state after its lock's process died."""

from __future__ import annotations

import click

from pipeline import aws
from pipeline.cli import console
from pipeline.release import outcome, state_lock
from pipeline.terraform import runner
from pipeline.cli.options import environment_option
from pipeline.config import Environment
from pipeline.cli.help import examples
from pipeline.target import Target


@click.command(
    "unlock",
    epilog=examples("unlock --environment staging 3b5bd0a2-6f0f-4b1e-9a60-0a1d1b2c3d4e"),
)
@environment_option
@click.argument("lock_id", metavar="ID")
@outcome.no_traffic_moved("a lock moves none")
def command(environment: Environment, lock_id: str) -> None:
    """Force-unlock the Terraform state.

    ID is the id of the lock, from the error message. Make sure that its process has ended: two
    Terraform processes can damage the state.
    """
    target = Target(aws.connect(), environment)
    state_lock.require(target, lock_id)
    with runner.workspace(runner.service_stack(environment)) as tf:
        tf.unlock(target.aws, lock_id)
    console.result(f"removed the lock {lock_id} of {environment.name}")
