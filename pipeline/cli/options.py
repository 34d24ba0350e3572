"""Options that several commands take."""

from __future__ import annotations

from typing import Any

import click

from pipeline.config import ENVIRONMENTS, Environment
from pipeline.errors import did_you_mean


class EnvironmentName(click.Choice[str]):
    """The name of an environment. A typo is answered with the nearest one."""

    def __init__(self) -> None:
        super().__init__(ENVIRONMENTS)

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        text = super().get_invalid_choice_message(value, ctx)
        return f"{text} {did_you_mean(str(value), ENVIRONMENTS)}".rstrip()


def _to_environment(_: click.Context, __: click.Parameter, name: str) -> Environment:
    return Environment(name)


environment_option = click.option(
    "--environment",
    type=EnvironmentName(),
    required=True,
    callback=_to_environment,
    help="Environment to work on.",
)


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
    envvar="ALLOW_DESTROY",
    help="Let the plan destroy or replace this guarded resource. Can be given again; or several "
    "in $ALLOW_DESTROY, with spaces between.",
)


verify_attestations_option = click.option(
    "--verify-attestations",
    "attest",
    is_flag=True,
    help="Verify with `gh` that build.yml built the packages on main.",
)
