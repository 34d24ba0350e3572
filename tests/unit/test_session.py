"""Credentials that expire: known before anything is begun that they would not see the end of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import boto3
import click
import pytest
from click.testing import CliRunner, Result

from pipeline import aws
from pipeline.aws import Aws
from pipeline.cli import deploy, rollback
from pipeline.config import BESIDE_STEPS_S, OWN_CALLS_S, Environment, Rollout
from pipeline.errors import AwsError, StoppedError
from pipeline.report import job_summary


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Environment variables with temporary credentials, as the AWS CLI exports them."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "temporary")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return monkeypatch


def _in(**time: float) -> str:
    return (datetime.now(UTC) + timedelta(**time)).isoformat()


def _account() -> Aws:
    nothing = cast(Any, None)
    return Aws("123456789012", "us-east-1", nothing, nothing, boto3.Session())


def test_what_the_cli_exports_says_when_it_ends(temporary: pytest.MonkeyPatch) -> None:
    temporary.setenv("AWS_CREDENTIAL_EXPIRATION", _in(minutes=20))
    left_s = _account().session_s()
    assert left_s and 1190 < left_s <= 1200
    temporary.setenv("AWS_CREDENTIAL_EXPIRATION", "2126-11-28T06:00:00Z")
    assert _account().session_s()


def test_without_that_variable_nobody_knows(temporary: pytest.MonkeyPatch) -> None:
    temporary.delenv("AWS_CREDENTIAL_EXPIRATION", raising=False)
    assert _account().session_s() is None


def test_what_the_sdk_renews_does_not_end(temporary: pytest.MonkeyPatch) -> None:
    """A variable that is left over from credentials that are not used says nothing."""
    temporary.setenv("AWS_CREDENTIAL_EXPIRATION", _in(minutes=1))
    session: Any = SimpleNamespace(get_credentials=lambda: SimpleNamespace(method="sso"))
    assert aws._session_s(session) is None


def test_credentials_that_have_expired_are_an_error_of_ours(
    temporary: pytest.MonkeyPatch,
) -> None:
    """The SDK itself answers with a RuntimeError."""
    temporary.setenv("AWS_CREDENTIAL_EXPIRATION", _in(seconds=-1))
    with pytest.raises(AwsError, match="credentials expired at") as refused:
        aws.connect()
    assert "aws configure export-credentials" in refused.value.hint


def test_the_budget_is_that_of_the_steps_and_of_the_rest() -> None:
    steps = Rollout((10, 100), 300, 500, (), None)
    assert steps.longest_s == 2 * (300 + OWN_CALLS_S)


def _run(
    command: click.Command, valid_s: float | None, monkeypatch: pytest.MonkeyPatch, *options: str
) -> Result:
    """Run a command with credentials of so many seconds; it stops where its work would begin."""
    account = SimpleNamespace(session_s=lambda: valid_s)
    monkeypatch.setattr(aws, "connect", lambda: account)
    monkeypatch.setattr(job_summary, "job_summary", _begin)
    return CliRunner().invoke(command, ["--environment", "staging", *options])


def _begin(*_: Any) -> NoReturn:
    raise StoppedError("it begins")


def test_a_deployment_that_they_would_not_last_for_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without credentials nobody could put live back."""
    takes_s = BESIDE_STEPS_S + Environment("staging").rollout().longest_s
    refused = _run(deploy.command, takes_s - 1, monkeypatch).exception
    assert isinstance(refused, AwsError) and "credentials expire in" in refused.message
    assert f"expire in {takes_s - 1:.0f} s" in refused.message and "aws sso login" in refused.hint
    for enough in (None, takes_s):
        assert isinstance(_run(deploy.command, enough, monkeypatch).exception, StoppedError)
    at_once = _run(deploy.command, BESIDE_STEPS_S, monkeypatch, "--all-at-once")
    assert isinstance(at_once.exception, StoppedError)


def test_a_rollback_is_only_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    """It restores traffic within seconds, and nothing must stop it."""
    ledger = SimpleNamespace(newest=lambda: None)
    monkeypatch.setattr(rollback, "Ledger", lambda *_: ledger)
    for valid_s, warned in ((None, False), (BESIDE_STEPS_S, False), (30, True)):
        done = _run(rollback.command, valid_s, monkeypatch)
        assert isinstance(done.exception, StoppedError)
        assert ("expire in 30 s" in done.output) == warned
