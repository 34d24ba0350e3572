"""What deploy refuses for its options alone, before it calls AWS."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from pipeline.cli import deploy
from pipeline.errors import UsageError


def _refused(*options: str) -> UsageError:
    done = CliRunner().invoke(deploy.command, ["--environment", "local", *options])
    assert isinstance(done.exception, UsageError), done
    return done.exception


@pytest.mark.parametrize("option", ["--release-from-quarantine", "--unproved"])
def test_an_unusual_deployment_needs_a_reason(option: str) -> None:
    problem = _refused(option)
    assert problem.message == f"{option} needs --reason"
    assert problem.traffic == "unchanged: nothing was done"


def test_a_bundle_comes_from_one_place() -> None:
    assert "--from and --bundle" in _refused("--from", "staging", "--bundle", "build").message
