"""When an environment is destroyed, with which variables, and when nothing is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline import aws
from pipeline.bundle import store
from pipeline.cli import destroy
from pipeline.release import ledger
from pipeline.terraform import runner
from pipeline.aws import Aws
from pipeline.bundle.manifest import Bundle
from pipeline.config import Environment
from pipeline.errors import LostRaceError, PipelineError, StoppedError, TerraformError
from pipeline.release.ledger import Ledger
from pipeline.terraform.runner import SavedPlan, Stack
from pipeline.target import Target

_STAGING = Environment("staging")
_ALIAS = {
    "address": "aws_lambda_alias.live",
    "type": "aws_lambda_alias",
    "mode": "managed",
    "change": {"actions": ["delete"]},
}


@dataclass
class _Terraform:
    """Plans to destroy the alias, and writes down what it was called with."""

    resources: list[dict[str, Any]] = field(default_factory=lambda: [_ALIAS])
    failure: PipelineError | None = None
    stack: Stack | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    applied: list[SavedPlan] = field(default_factory=list)

    @contextmanager
    def workspace(self, stack: Stack) -> Iterator[_Terraform]:
        self.stack = stack
        yield self

    def plan(self, _: Aws, variables: dict[str, Any], *, destroy: bool) -> SavedPlan:
        assert destroy
        self.variables = variables
        return SavedPlan(Path("plan"), {"resource_changes": self.resources})

    def apply(self, plan: SavedPlan) -> None:
        self.applied.append(plan)
        if self.failure:
            raise self.failure


@pytest.fixture
def tf(monkeypatch: pytest.MonkeyPatch) -> _Terraform:
    fake = _Terraform()
    monkeypatch.setattr(runner, "workspace", fake.workspace)
    return fake


@pytest.fixture
def connected(account: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setattr(aws, "connect", lambda: account)
    return account


def _destroy(*options: str) -> Result:
    return CliRunner().invoke(destroy.command, ["--environment", "staging", *options])


def _begin(account: Aws, bundle: Bundle) -> Callable[[], None]:
    """Begin a release of staging; what this returns ends it."""
    records = Ledger(Target(account, _STAGING))
    release = ledger.next_release(None, "deploy", bundle.manifest, reason=None, version="1")
    records.begin(release)
    return lambda: records.end(replace(release, outcome="succeeded", ended=ledger.now()))


@pytest.fixture
def bundle(built_bundle: Path) -> Bundle:
    return Bundle.read(built_bundle)


def _at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    # The runner gives a command a standard input of this class.
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True)


def test_the_environments_name_as_an_option_confirms(connected: Aws, tf: _Terraform) -> None:
    done = _destroy("--yes", "staging")
    assert done.exit_code == 0 and len(tf.applied) == 1
    assert tf.stack == runner.service_stack(_STAGING)


def test_it_shows_what_goes_and_says_what_is_left(
    connected: Aws, tf: _Terraform, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        destroy.command(["--environment", "staging", "--yes", "staging"])
    assert ended.value.code == 0
    out, err = capsys.readouterr()
    assert "  - aws_lambda_alias.live" in err.splitlines()
    for what in (
        "--layer-name mongo-client-staging-pymongo",
        "--path /mongo-client/staging",
        f"s3://{connected.artifact_bucket}/ledger/staging/",
        f"s3://{connected.state_bucket}/mongo-client/staging.tfstate",
    ):
        assert what in out


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ((), "There is no terminal"),
        (("--yes", "production"), "--yes is 'production', but --environment is 'staging'"),
    ],
)
def test_without_the_environments_name_aws_is_not_called(
    monkeypatch: pytest.MonkeyPatch, tf: _Terraform, options: tuple[str, ...], what: str
) -> None:
    monkeypatch.setattr(aws, "connect", lambda: pytest.fail("AWS was called"))
    done = _destroy(*options)
    assert done.exit_code == 2 and what in " ".join(done.output.split()) and tf.stack is None


@pytest.mark.parametrize("typed", ["staging", "production", "y"])
def test_at_a_terminal_the_name_is_typed(
    connected: Aws, tf: _Terraform, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    _at_a_terminal(monkeypatch)
    done = CliRunner().invoke(destroy.command, ["--environment", "staging"], input=f"{typed}\n")
    assert "in staging, account 123456789012" in done.output
    if typed == "staging":
        assert done.exit_code == 0 and len(tf.applied) == 1
    else:
        assert isinstance(done.exception, StoppedError) and tf.applied == []
        assert done.exception.message == f"'{typed}' is not staging; nothing was destroyed"


def test_while_a_release_is_under_way_nothing_is_destroyed(
    connected: Aws, tf: _Terraform, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.release.lease._RENEWED_EVERY_S", 0.1)
    monkeypatch.setattr("pipeline.release.lease._LOOKED_AT_EVERY_S", 0.1)
    end = _begin(connected, bundle)
    problem = _destroy("--yes", "staging").exception
    assert (
        isinstance(problem, LostRaceError)
        and "a deployment is under way: release #1" in problem.message
    )
    assert tf.stack is None
    end()
    assert _destroy("--yes", "staging").exit_code == 0


def test_a_release_that_begins_while_the_name_is_typed_is_left_alone(
    connected: Aws, tf: _Terraform, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.release.lease._RENEWED_EVERY_S", 0.1)
    monkeypatch.setattr("pipeline.release.lease._LOOKED_AT_EVERY_S", 0.1)
    _at_a_terminal(monkeypatch)
    ends: list[Callable[[], None]] = []

    def type_it(_: str) -> str:
        ends.append(_begin(connected, bundle))
        return "staging"

    monkeypatch.setattr("click.prompt", type_it)
    assert isinstance(_destroy().exception, LostRaceError) and tf.applied == []
    for end in ends:
        end()


def test_terraform_gets_the_variables_of_what_serves(
    connected: Aws, tf: _Terraform, bundle: Bundle
) -> None:
    """Where nothing serves, it gets the same variables without a bundle."""
    assert _destroy("--yes", "staging").exit_code == 0
    without = tf.variables
    store.put(connected, bundle)
    _begin(connected, bundle)()
    assert _destroy("--yes", "staging").exit_code == 0
    assert tf.variables == runner.bundle_variables(connected, bundle.manifest)
    assert tf.variables.keys() == without.keys() and tf.variables != without


def test_what_is_destroyed_already_needs_no_apply(connected: Aws, tf: _Terraform) -> None:
    tf.resources = []
    assert _destroy("--yes", "staging").exit_code == 0 and tf.applied == []


def test_one_that_failed_half_way_is_run_again(connected: Aws, tf: _Terraform) -> None:
    tf.failure = TerraformError("terraform apply failed")
    problem = _destroy("--yes", "staging").exception
    assert problem is tf.failure
    assert tf.failure.command == "python -m pipeline destroy --environment staging"
