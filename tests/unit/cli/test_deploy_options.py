"""What deploy and plan refuse for their options alone, before AWS is called."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from pipeline import aws
from pipeline.cli import deploy, plan


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "connect", lambda: pytest.fail("AWS was called"))


def _deploy(*options: str) -> Result:
    return CliRunner().invoke(deploy.command, ["--environment", "local", *options])


@pytest.mark.parametrize("option", ["--release-from-quarantine", "--skip-promotion-check"])
def test_an_unusual_deployment_needs_a_reason(option: str) -> None:
    """The error is click's, as for a wrong option: the usage line first, and exit code 2."""
    done = _deploy(option)
    assert done.exit_code == 2 and done.output.startswith("Usage: ")
    assert f"Error: {option} requires --reason." in done.output
    assert "traffic" not in done.output


def test_a_bundle_comes_from_one_place() -> None:
    done = _deploy("--from", "staging", "--bundle", "build")
    assert "--from cannot be combined with --bundle" in done.output


def test_a_former_name_of_an_option_is_accepted_with_a_notice() -> None:
    done = _deploy("--unproved")
    assert "--unproved is now --skip-promotion-check" in done.output
    assert "Error: --skip-promotion-check requires --reason." in done.output


@pytest.mark.parametrize(
    ("arguments", "notices"),
    [
        (["--out", "a", "--compare-with", "b"], []),
        (["--save", "a", "--shown", "b"], ["--save is now --out", "--shown is now --compare-with"]),
    ],
)
def test_both_names_of_an_option_set_the_same_parameter(
    arguments: list[str], notices: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    context = plan.command.make_context("plan", ["-e", "local", *arguments])
    assert str(context.params["folder"]) == "a" and str(context.params["reviewed_file"]) == "b"
    printed = capsys.readouterr().err
    assert [line.partition(";")[0] for line in printed.splitlines()] == notices


def test_the_environment_may_come_from_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option on the command line comes first."""
    monkeypatch.setenv("PIPELINE_ENVIRONMENT", "staging")
    assert plan.command.make_context("plan", []).params["environment"].name == "staging"
    context = plan.command.make_context("plan", ["-e", "local"])
    assert context.params["environment"].name == "local"
