"""What there is: the function, as function.toml tells, its environments, its files."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent
FUNCTION_FILE = ROOT / "function.toml"

# The longest name made of `name` is that of the state's bucket: <name>-terraform-state-<account>,
# of 63 characters at most ("General purpose bucket naming rules", Amazon S3 user guide).
SHAPES = {
    "name": r"[a-z][a-z0-9-]{1,32}[a-z0-9]",
    "description": r".{0,256}",
    "handler": r"[A-Za-z_]\w*\.[A-Za-z_]\w*",
    "runtime": r"python3\.\d+",
    "architecture": r"x86_64|arm64",
    "layer": r"([a-z][a-z0-9-]{0,30})?",
}
_OPTIONAL: dict[str, Any] = {
    "description": "",
    "layer": "",
    "secrets": [],
    "smoke": [],
    "allow": [],
}


def _told() -> dict[str, Any]:
    """Read function.toml; raise UsageError if it is not what it must be."""
    try:
        told = _OPTIONAL | tomllib.loads(FUNCTION_FILE.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{FUNCTION_FILE} cannot be read: {error}", "Mend it.") from error
    known = [*SHAPES, "secrets", "smoke", "allow"]
    if odd := told.keys() - set(known):
        raise _wrong(f"{min(odd)} means nothing", f"Known are {', '.join(known)}.")
    for name, shape in SHAPES.items():
        value = told.get(name)
        if not isinstance(value, str) or not re.fullmatch(shape, value, re.ASCII):
            raise _wrong(f"{name} is {value!r}", f"It has to fit the pattern {shape}")
    secrets = told["secrets"]
    if not isinstance(secrets, list) or not all(map(_is_secret, secrets)):
        raise _wrong(
            f"secrets is {secrets!r}", 'It has to be a list such as ["database-password"].'
        )
    return told


@dataclass(frozen=True)
class Allowed:
    """A finding of the inspection that somebody reviewed: its rule, the file that has it, and why.

    `file` is the entry of a package, such as python/twilio/rest.py, or "function.toml".
    """

    rule: str
    file: str
    reason: str

    def __post_init__(self) -> None:
        """Raise ValueError unless all of it is there."""
        if not all(isinstance(text, str) and text.strip() for text in vars(self).values()):
            raise ValueError("rule, file and reason each have to be some text")


def _allowed(tables: list[dict[str, Any]]) -> tuple[Allowed, ...]:
    """Read the findings that are allowed; raise UsageError if one is not what it must be."""
    try:
        return tuple(Allowed(**table) for table in tables)
    except (TypeError, ValueError) as error:
        raise _wrong(f"[[allow]]: {error}", "It has rule, file and reason.") from error


def _is_secret(name: object) -> bool:
    return isinstance(name, str) and bool(re.fullmatch(r"[a-z][a-z0-9-]*", name))


def _wrong(what: str, remedy: str) -> UsageError:
    return UsageError(f"{FUNCTION_FILE.name}: {what}", remedy)


FUNCTION = _told()

SERVICE: str = FUNCTION["name"]
DEPLOYED_FROM_GITHUB = ("staging", "production")
ENVIRONMENTS = ("local", *DEPLOYED_FROM_GITHUB)
# GitHub's own environments, which the workflows name: who may use what, and who is asked.
APPROVAL = "production-approval"
GITHUB_ENVIRONMENTS = (
    *DEPLOYED_FROM_GITHUB,
    *(f"{name}-rollback" for name in DEPLOYED_FROM_GITHUB),
    APPROVAL,
)

HANDLER: str = FUNCTION["handler"]
HANDLER_FILE = ROOT / f"{HANDLER.partition('.')[0]}.py"
RUNTIME: str = FUNCTION["runtime"]
ARCHITECTURE: str = FUNCTION["architecture"]

ALLOWED = _allowed(FUNCTION["allow"])

# The layer's name; empty: there is none.
LAYER: str = FUNCTION["layer"]
LAYER_LOCK = ROOT / "layer" / "requirements.txt"

FUNCTION_PACKAGE = f"{HANDLER_FILE.stem}.zip"
LAYER_PACKAGE = f"{LAYER}-layer.zip"
MANIFEST = "manifest.json"

TERRAFORM_DIR = ROOT / "terraform"
BOOTSTRAP_DIR = TERRAFORM_DIR / "bootstrap"

LIVE = "live"

# A version that hangs must not hold up what is its cure: a step's calls of our own end after this.
OWN_CALLS_S = 300
# The job `deploy` of release.yml (timeout-minutes), and what it needs beside the steps: to set up,
# plan, apply, wait for the version, and make the first calls. AWS's session of it lasts longer.
JOB_S = 1800
_BESIDE_STEPS_S = 600


@dataclass(frozen=True)
class Steps:
    """How live's traffic moves to a new version in an environment.

    It gets `percents` of it, one after the other and 100 last; each step is watched for `watch_s`
    seconds, and until there are `least_calls` calls of either version. None of `alarms` may begin
    to fire meanwhile. `after` is the environment that a bundle must have served in before.
    """

    percents: tuple[float, ...]
    watch_s: float
    least_calls: int
    alarms: tuple[str, ...]
    after: str | None

    @classmethod
    def from_text(cls, text: str) -> Steps:
        """Read TOML; raise ValueError or TypeError if it is not what it must be."""
        told = tomllib.loads(text)
        after = told.pop("after", None)
        steps = cls(tuple(told.pop("percents")), **told, after=after)
        percents = steps.percents
        if not percents or percents[-1] != 100 or list(percents) != sorted(set(percents)):
            raise ValueError("percents must rise to 100")
        if percents[0] <= 0 or steps.watch_s < 0 or steps.least_calls < 1:
            raise ValueError("percents and least_calls must be above 0, watch_s not below")
        if any(percent != round(percent, 2) for percent in percents):
            raise ValueError("percents must have two digits after the point at most")
        steps._refuse_what_takes_too_long()
        return replace(steps, alarms=tuple(steps.alarms))

    def _refuse_what_takes_too_long(self) -> None:
        """Raise ValueError unless a deployment ends within its job, whatever the version does."""
        count, left_s = len(self.percents), JOB_S - _BESIDE_STEPS_S
        takes_s = count * (self.watch_s + OWN_CALLS_S)
        if takes_s > left_s:
            raise ValueError(
                f"{count} steps of {self.watch_s:g} s, each with up to {OWN_CALLS_S} s of our own "
                f"calls, take up to {takes_s:g} s; the job's {JOB_S} s, less {_BESIDE_STEPS_S} s "
                f"for the rest, leave {left_s} s. Watch for {left_s / count - OWN_CALLS_S:g} s at "
                "most, or take fewer steps"
            )


@dataclass(frozen=True)
class Environment:
    """`local`, `staging` or `production`."""

    name: str

    @property
    def function_name(self) -> str:
        return f"{SERVICE}-{self.name}"

    @property
    def layer_name(self) -> str:
        return f"{self.function_name}-{LAYER}"

    @property
    def log_group(self) -> str:
        return f"/aws/lambda/{self.function_name}"

    @property
    def state_key(self) -> str:
        return f"{SERVICE}/{self.name}.tfstate"

    @property
    def variables_file(self) -> Path:
        return TERRAFORM_DIR / "environments" / self.name / "terraform.tfvars"

    def secret_parameters(self) -> list[str]:
        """Return the names of the parameters whose values the function reads."""
        return [f"/{SERVICE}/{self.name}/{secret}" for secret in FUNCTION["secrets"]]

    @property
    def smoke_parameter(self) -> str:
        """Name of the parameter that holds the API key for the first calls of a version."""
        return f"/{SERVICE}/{self.name}/smoke-api-key"

    @property
    def steps_file(self) -> Path:
        return self.variables_file.with_name("release.toml")

    def steps(self) -> Steps:
        """Read how traffic moves here; raise UsageError if the file says something else."""
        try:
            return Steps.from_text(self.steps_file.read_text())
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UsageError(
                f"{self.steps_file} does not say how traffic moves: {error}",
                "See the same file of another environment.",
            ) from error
