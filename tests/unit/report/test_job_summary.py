"""When a job's summary is made, and that it changes nothing of what was done."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from pipeline.report import job_summary, release_summary
from pipeline.aws import Aws
from pipeline.config import Environment
from pipeline.errors import LostRaceError
from pipeline.target import Target

PRODUCTION = Environment("production")


@pytest.fixture
def unreachable() -> Aws:
    """An account that nobody answers for: nothing listens on port 9."""
    once = Config(retries={"total_max_attempts": 1})
    session = boto3.Session("key", "secret", region_name="us-east-1")
    return Aws(
        account_id="123456789012",
        region="us-east-1",
        functions=session.client("lambda", endpoint_url="http://127.0.0.1:9", config=once),
        s3=session.client("s3", endpoint_url="http://127.0.0.1:9", config=once),
        session=session,
    )


def test_a_failure_is_reported_even_without_aws(
    unreachable: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    with pytest.raises(LostRaceError) as raised:
        with job_summary.job_summary("deploy", Target(unreachable, PRODUCTION), "why"):
            raise LostRaceError("somebody was faster")
    assert "not known" in raised.value.traffic and "get-alias" in raised.value.traffic
    assert "releases --environment production" in raised.value.command
    text = (tmp_path / "summary.md").read_text()
    assert (
        "what live serves is unknown: AWS cannot be reached" in text
        and "somebody was faster" in text
    )


def test_a_summary_that_cannot_be_made_changes_no_outcome(
    unreachable: Aws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What was done stays, and what failed has its own error."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.delattr(release_summary, "page")
    with job_summary.job_summary("deploy", Target(unreachable, PRODUCTION), None):
        pass
    with pytest.raises(LostRaceError):
        with job_summary.job_summary("rollback", Target(unreachable, PRODUCTION), None):
            raise LostRaceError("somebody was faster")
    assert caplog.text.count("the job summary could not be written") == 2


def test_outside_of_a_job_nothing_is_looked_up_or_written(
    unreachable: Aws, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    calls: list[str] = []
    for client in (unreachable.functions, unreachable.s3):
        client.meta.events.register("before-call", lambda model, **_: calls.append(model.name))
    with job_summary.job_summary("deploy", Target(unreachable, PRODUCTION), None):
        pass
    assert calls == [] and caplog.text == ""
