"""What ends a command leads to the command to type next, however its sentences are written."""

import pytest
import yaml

from pipeline.config import ENVIRONMENTS, ROOT, Environment
from pipeline.errors import LostRaceError
from pipeline.release import outcome

_STAGING = Environment("staging")


@pytest.mark.parametrize(
    "hint", ["Decide again, or make it so.", "Check whether gh is logged in.", ""]
)
def test_a_sentence_does_not_hide_the_command(hint: str) -> None:
    with pytest.raises(LostRaceError) as raised:
        _end(LostRaceError("somebody was faster", hint), _STAGING)
    assert raised.value.command == "python -m pipeline releases --environment staging --limit 5"


def test_the_command_that_an_error_brings_is_kept() -> None:
    with pytest.raises(LostRaceError) as raised:
        _end(LostRaceError("somebody was faster", "See.", command="gh run list"), _STAGING)
    assert raised.value.command == "gh run list"


def _end(problem: LostRaceError, environment: Environment) -> None:
    @outcome.no_traffic_moved("nothing was done")
    def command(**_: Environment) -> None:
        raise problem

    command(environment=environment)


def test_a_rollback_through_github_is_offered_only_where_github_deploys() -> None:
    """The workflow's input has these environments: dispatched with another, it is refused."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "rollback.yml").read_text())
    # YAML 1.1, which PyYAML reads, takes `on` for a boolean.
    choices = workflow[True]["workflow_dispatch"]["inputs"]["environment"]["options"]
    for name in ENVIRONMENTS:
        *github, desk = outcome.how_to_roll_back(Environment(name), 4)
        assert desk == f'python -m pipeline rollback --environment {name} --to 4 --reason "…"'
        assert bool(github) == (name in choices), name
