"""Options that several commands have, and former names of options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from pipeline.cli import console
from pipeline.config import ENVIRONMENTS, Environment
from pipeline.errors import did_you_mean


class EnvironmentName(click.Choice[str]):
    """The name of an environment. The error for a typo suggests the nearest name."""

    def __init__(self) -> None:
        super().__init__(ENVIRONMENTS)

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        text = super().get_invalid_choice_message(value, ctx)
        return f"{text} {did_you_mean(str(value), ENVIRONMENTS)}".rstrip()


def _to_environment(_: click.Context, __: click.Parameter, name: str) -> Environment:
    return Environment(name)


environment_option = click.option(
    "-e",
    "--environment",
    type=EnvironmentName(),
    required=True,
    callback=_to_environment,
    envvar="PIPELINE_ENVIRONMENT",
    show_envvar=True,
    help="Environment.",
)


bundle_option = click.option(
    "--bundle",
    "reference",
    default="build",
    show_default=True,
    help="Folder of a bundle, or the id of a stored bundle.",
)


allow_destroy_option = click.option(
    "--allow-destroy",
    "allowed",
    multiple=True,
    metavar="ADDRESS",
    envvar="ALLOW_DESTROY",
    show_envvar=True,
    help="Allow the plan to destroy or replace this protected resource. Repeat the option for "
    "several; separate them by spaces in the environment variable.",
)


verify_attestations_option = click.option(
    "--verify-attestations",
    "attest",
    is_flag=True,
    help="Verify with `gh` that build.yml built the packages on main.",
)


def former_name(
    old: str, new: str, parameter: str, **attributes: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return an option that accepts `old`, the former name of `new`, and prints a notice.

    It sets `parameter`, the one of `new`, and has the `attributes` of `new`. It is not in the help,
    and is removed with the next release.
    """

    def take(context: click.Context, option: click.Parameter, value: Any) -> None:
        if context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE:
            console.notice(f"{old} is now {new}; the next release removes the old name")
            context.params[parameter] = value
            context.set_parameter_source(parameter, ParameterSource.COMMANDLINE)

    return click.option(old, hidden=True, expose_value=False, callback=take, **attributes)
