"""An environment: what its resources are called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from pipeline.project import ENVIRONMENTS, SERVICE, TERRAFORM_DIR

LIVE = "live"


@dataclass(frozen=True)
class Environment:
    """`local`, `staging` or `production`."""

    name: str

    @property
    def function_name(self) -> str:
        return f"{SERVICE}-{self.name}"

    @property
    def state_key(self) -> str:
        return f"{SERVICE}/{self.name}.tfstate"

    @property
    def variables_file(self) -> Path:
        return TERRAFORM_DIR / "environments" / self.name / "terraform.tfvars"


def _to_environment(_: click.Context, __: click.Parameter, name: str) -> Environment:
    return Environment(name)


environment_option = click.option(
    "--environment",
    type=click.Choice(ENVIRONMENTS),
    required=True,
    callback=_to_environment,
    help="Environment to work on.",
)
