"""The configuration: the function of function.toml, its environments, its files."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline import function_file
from pipeline.errors import UsageError

_HERE = Path(__file__).resolve().parent.parent
# The checkout: where this package is or, once it is installed elsewhere, where it is called.
ROOT = next(
    (
        folder
        for folder in (_HERE, Path.cwd(), *Path.cwd().parents)
        if (folder / "function.toml").is_file()
    ),
    _HERE,
)
FUNCTION_FILE = ROOT / "function.toml"

FUNCTION = function_file.read(FUNCTION_FILE)


@dataclass(frozen=True)
class Allowed:
    """A finding of the inspection that somebody reviewed: its rule, the file that has it, and why.

    `file` is the entry of a package, such as python/twilio/rest.py, or "function.toml".
    """

    rule: str
    file: str
    reason: str


SERVICE: str = FUNCTION["name"]
TERRAFORM_DIR = ROOT / "terraform"
BOOTSTRAP_DIR = TERRAFORM_DIR / "bootstrap"
LOCAL = "local"


def _environments() -> Iterator[str]:
    """Yield the names of the environments, which are folders: this machine's first.

    One that takes only bundles that served in another (`after` in rollout.toml) comes after it. A
    file that cannot be read is an error when its environment is used.
    """
    before = {}
    for file in sorted((TERRAFORM_DIR / "environments").glob("*/rollout.toml")):
        try:
            before[file.parent.name] = tomllib.loads(file.read_text("utf-8")).get("after")
        except ValueError:
            before[file.parent.name] = None
    known = {LOCAL} & before.keys()
    yield from known
    while left := [name for name in before if name not in known]:
        ready = [name for name in left if before[name] not in left] or left
        yield from ready
        known |= set(ready)


ENVIRONMENTS = tuple(_environments())
DEPLOYED_FROM_GITHUB = tuple(name for name in ENVIRONMENTS if name != LOCAL)
# What the roles of such an environment are for; terraform/bootstrap/ makes them.
PURPOSES = ("plan", "deploy", "rollback")
# GitHub's environments, which the workflows name: they have the roles and the reviewers.
APPROVAL = "production-approval"
GITHUB_ENVIRONMENTS = (
    *DEPLOYED_FROM_GITHUB,
    *(f"{name}-rollback" for name in DEPLOYED_FROM_GITHUB),
    APPROVAL,
)

# The handler as Lambda names it, and its file in the function's zip, which begins at SOURCE.
HANDLER: str = FUNCTION["handler"]
SOURCE: Path = ROOT / FUNCTION["source"]
_MODULE = HANDLER.rpartition(".")[0].replace(".", "/")
_IS_PACKAGE = (SOURCE / _MODULE / "__init__.py").is_file()
HANDLER_PATH = f"{_MODULE}/__init__.py" if _IS_PACKAGE else f"{_MODULE}.py"
HANDLER_FILE = SOURCE / HANDLER_PATH
# What the function's zip holds: files, and folders with what is in them.
FILES: list[str] = FUNCTION["files"] or [HANDLER_PATH.partition("/")[0]]
RUNTIME: str = FUNCTION["runtime"]
ARCHITECTURE: str = FUNCTION["architecture"]

ALLOWED = tuple(Allowed(**table) for table in FUNCTION["allow"])

# The layer's name; empty: there is none.
LAYER: str = FUNCTION["layer"].get("name", "")
LAYER_LOCK: Path = ROOT / FUNCTION["layer"].get("requirements", "")

FUNCTION_PACKAGE = f"{HANDLER.partition('.')[0]}.zip"
LAYER_PACKAGE = f"{LAYER}-layer.zip" if LAYER else "layer.zip"
MANIFEST = "manifest.json"
PIPELINE = "pipeline.pyz"

LIVE = "live"

# The time for the pipeline's own calls of a step, so that a version that hangs ends the step.
OWN_CALLS_S = 300
# The job `deploy` of release.yml (timeout-minutes), and its time apart from the steps: to set up,
# plan, apply, wait for the version, and smoke-test it. AWS's session lasts longer.
JOB_S = 1800
BESIDE_STEPS_S = 600


@dataclass(frozen=True)
class Rollout:
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
    def from_text(cls, text: str) -> Rollout:
        """Read TOML; raise ValueError or TypeError if it is not what it must be."""
        settings = tomllib.loads(text)
        after = settings.pop("after", None)
        steps = cls(tuple(settings.pop("percents")), **settings, after=after)
        percents = steps.percents
        if not percents or percents[-1] != 100 or list(percents) != sorted(set(percents)):
            raise ValueError("percents must increase to 100")
        if percents[0] <= 0 or steps.watch_s < 0 or steps.least_calls < 1:
            raise ValueError(
                "percents and least_calls must be greater than 0, and watch_s at least 0"
            )
        if any(percent != round(percent, 2) for percent in percents):
            raise ValueError("percents must have at most two decimal places")
        steps._refuse_what_takes_too_long()
        return replace(steps, alarms=tuple(steps.alarms))

    @property
    def longest_s(self) -> float:
        """How long all steps take at most, whatever the version does."""
        return len(self.percents) * (self.watch_s + OWN_CALLS_S)

    def _refuse_what_takes_too_long(self) -> None:
        """Raise ValueError unless a deployment ends within its job, whatever the version does."""
        count, left_s = len(self.percents), JOB_S - BESIDE_STEPS_S
        if self.longest_s > left_s:
            raise ValueError(
                f"{count} steps of {self.watch_s:g} s, each with up to {OWN_CALLS_S} s of our own "
                f"calls, take up to {self.longest_s:g} s; the job's {JOB_S} s, less "
                f"{BESIDE_STEPS_S} s for the rest, leave {left_s} s. Watch for "
                f"{left_s / count - OWN_CALLS_S:g} s at most, or take fewer steps"
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
    def permissions_boundary(self) -> str | None:
        """Name of the policy that bounds the function's role; None where `bootstrap` makes none."""
        return f"{self.function_name}-boundary" if self.name in DEPLOYED_FROM_GITHUB else None

    @property
    def api_policy(self) -> str:
        """Name of the policy of the roles that write the environment's API."""
        return f"{self.function_name}-api"

    def role_name(self, purpose: str) -> str:
        """Return the name of the role that GitHub's jobs of a purpose get."""
        return f"{self.function_name}-{purpose}"

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
    def rollout_file(self) -> Path:
        return self.variables_file.with_name("rollout.toml")

    def rollout(self) -> Rollout:
        """Read how traffic moves here; raise UsageError if the file says something else."""
        try:
            return Rollout.from_text(self.rollout_file.read_text())
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UsageError(
                f"{self.rollout_file} is not valid: {error}",
                "Compare it with the same file of another environment, or see docs/canary.md.",
            ) from error
