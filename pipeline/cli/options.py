"""Options that several commands have, and former names of options."""

from __future__ import annotations

import re
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


class Label(click.ParamType[int | str]):
    """A release or a version: `#24` is a release, `v16` a version.

    `kinds` are those that the option takes; a bare number is of the first. A release is converted
    to its number (int), a version to its name in Lambda (str).
    """

    _FORMS = re.compile(r"(?P<sign>#|v|)(?P<number>[0-9]+)|\$LATEST")
    _KINDS = {"#": "release", "v": "version"}
    _INSTEAD = {
        "release": "the number of a release, as `releases` lists them: 24 or '#24'",
        "version": "a version of the function, as `releases` lists them: 16 or v16",
    }

    def __init__(self, *kinds: str) -> None:
        self.name = kinds[0]
        self._kinds = kinds

    def convert(self, value: Any, param: Any, ctx: Any) -> int | str:
        if isinstance(value, int):
            return value
        found = self._FORMS.fullmatch(value)
        wanted = self._INSTEAD[self._kinds[0]]
        if not found:
            self.fail(f"{value!r} is not {wanted}", param, ctx)
        sign, number = found["sign"], found["number"]
        kind = self._KINDS.get(sign, self._kinds[0]) if number else "version"
        if kind not in self._kinds:
            self.fail(f"{value!r} is a {kind}; this takes {wanted}", param, ctx)
        return int(number) if kind == "release" else number or value


class Repository(click.ParamType[str]):
    """A repository on GitHub: OWNER/NAME."""

    name = "repository"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        if not re.fullmatch(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+", value):
            self.fail(f"{value!r} is not OWNER/NAME.", param, ctx)
        return str(value)


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
            # No annotation on GitHub: drift.yml uses an old name while deployed trees may be older.
            console.say(f"{old} is now {new}; the next release removes the old name", "yellow")
            context.params[parameter] = value
            context.set_parameter_source(parameter, ParameterSource.COMMANDLINE)

    return click.option(old, hidden=True, expose_value=False, callback=take, **attributes)
