"""Credentials that expire: known before anything is begun that they would not see the end of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest

from pipeline import aws
from pipeline.aws import Aws
from pipeline.cli import deploy, rollback
from pipeline.config import BESIDE_STEPS_S, OWN_CALLS_S, Steps
from pipeline.errors import AwsError


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
    assert "aws configure export-credentials" in refused.value.remedy


def test_a_deployment_that_they_would_not_last_for_is_refused() -> None:
    """Without credentials nobody could put live back."""
    takes_s = BESIDE_STEPS_S + Steps((10, 100), 300, 500, (), None).longest_s
    assert takes_s == BESIDE_STEPS_S + 2 * (300 + OWN_CALLS_S)
    for enough in (None, takes_s):
        deploy._require_session(enough, takes_s)
    with pytest.raises(AwsError, match="expire in 1799 s, and .* up to 1800 s; nothing was done"):
        deploy._require_session(1799, takes_s)


def test_a_rollback_is_only_warned(capsys: pytest.CaptureFixture[str]) -> None:
    """It restores traffic within seconds, and nothing must stop it."""
    rollback._warn_of_expiry(None)
    rollback._warn_of_expiry(BESIDE_STEPS_S)
    assert capsys.readouterr().err == ""
    rollback._warn_of_expiry(30)
    assert "expire in 30 s" in capsys.readouterr().err
