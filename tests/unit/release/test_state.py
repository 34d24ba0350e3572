"""Which state an environment is in, from what is known of it; and the command that repairs it."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from datetime import timedelta

import click
import pytest

from pipeline.cli.main import pipeline
from pipeline.config import Environment
from pipeline.release import state
from pipeline.release.lease import Sign
from pipeline.release.observation import Callers, Observation
from pipeline.release.state_lock import Lock
from pipeline.terraform.applied import Applied
from pipeline.traffic.invoke import Health
from scratch.source import ROOT
from tests.support.environments import NOW, deployment, live, observed, rollback, version

_FIRST, _SECOND = deployment(1, "1"), deployment(2, "2")
_FAILED = deployment(3, "3", "failed")
_UNDER_WAY = deployment(3, None, "under way")
_ALIVE, _DEAD = Sign(3, "a", 4.0), Sign(3, "a", 400.0)
_PENDING = replace(rollback(3, "1", 1), pending=("terraform",))
_URL = "https://api.example.com"
_WELL = Callers(_URL, Health("200", 12), "{}", ())
_NO_DATABASE = '{"status": "unavailable", "database": "unavailable"}'


def _lock(minutes: float) -> Lock:
    return Lock("3b5b", "ada@desk", "OperationTypeApply", NOW - timedelta(minutes=minutes))


def _alarms(*kinds: str) -> Callers:
    return replace(_WELL, alarms=tuple(f"mongo-client-staging-{kind}" for kind in kinds))


_CONTENT = {
    "nothing was ever released": observed(None),
    "a release serves": observed(live("2"), _SECOND, _FIRST),
    "a deployment failed, and left nothing behind": observed(live("2"), _FAILED, _SECOND),
    "a canary is under way": observed(
        *(live("2", ("3", 0.1)), _UNDER_WAY, _SECOND),
        sign=_ALIVE,
        latest=version("new"),
        lock=_lock(0.1),
    ),
    "a rollback is followed": observed(live("1"), _PENDING, _SECOND, _FIRST, sign=_ALIVE),
    "somebody applies": observed(live("2"), _SECOND, lock=_lock(1), latest=version("new")),
    # Terraform publishes the restored bundle again, with the settings of its own files.
    "a rollback over a change of settings": observed(
        live("1"),
        rollback(3, "1", 1),
        latest=version(MemorySize=512),
        published=version(MemorySize=512),
        applied=Applied("4", "code", _URL),
    ),
    "a layer was published again, with the same content": observed(
        live("1"),
        rollback(3, "1", 1),
        published=version(Version="4"),
        applied=Applied("4", "code", _URL),
    ),
}


@pytest.mark.parametrize("name", _CONTENT)
def test_where_all_agrees_nothing_needs_a_person(name: str) -> None:
    assert state.find(_CONTENT[name], _WELL) == ()


_TROUBLE = {
    "database-down": observed(live("2"), _SECOND),
    "calls-fail": observed(live("2"), _SECOND, restorable=_FIRST),
    "calls-slow": observed(live("2"), _SECOND, restorable=_FIRST),
    "first-release-failed": observed(live("1"), deployment(1, "1", "failed")),
    "release-half-way": observed(live("2", ("3", 0.1)), _UNDER_WAY, _SECOND, sign=_DEAD),
    "live-moved": observed(live("1"), _FAILED, _SECOND, _FIRST),
    "release-died": observed(live("2"), _UNDER_WAY, _SECOND, sign=_DEAD),
    "state-locked": observed(live("2"), _SECOND, lock=_lock(600)),
    "rollback-unfinished": observed(live("1"), _PENDING, _SECOND, _FIRST),
    "code-changed": observed(live("2"), _SECOND, latest=version("foreign")),
    "settings-changed": observed(live("2"), _SECOND, latest=version(MemorySize=257)),
    "terraform-ahead": observed(
        live("2"),
        _FAILED,
        _SECOND,
        latest=version("new"),
        published=version("new"),
        applied=Applied("3", "new", _URL),
    ),
    "live-quarantined": observed(live("2"), _SECOND, quarantined="bundle 2 was rolled back"),
    "bundle-missing": observed(live("2"), _SECOND, missing="s3://b/k is missing"),
}
_CALLERS = {
    "database-down": _alarms("database", "errors", "api"),
    "calls-fail": _alarms("errors", "duration"),
    "calls-slow": _alarms("duration"),
}


@pytest.mark.parametrize("name", state.NAMES)
def test_each_state_is_found_alone_with_a_command_that_can_be_typed(name: str) -> None:
    [found] = state.find(_TROUBLE[name], _CALLERS.get(name, _WELL))
    assert found.name == name and len(found.sentence) > 20 and "\n" not in found.in_words()
    commands = re.findall(r"python -m pipeline ([^&:]+)", f"{found.command} & {found.otherwise}")
    assert commands
    for line in commands:
        name, *arguments = shlex.split(line)
        command = pipeline.get_command(click.Context(pipeline), name)
        assert command
        command.make_context(name, arguments)


def test_the_runbook_has_each_state_by_its_name() -> None:
    text = (ROOT / "docs/runbook.md").read_text()
    assert re.findall(
        r"^\| `([a-z-]+)` \|",
        text.partition("## What `status` names")[2].partition("\n## ")[0],
        re.MULTILINE,
    ) == list(state.NAMES)


@pytest.mark.parametrize(
    ("callers", "name"),
    [
        (replace(_WELL, health=Health("503", 3000), body=_NO_DATABASE), "database-down"),
        (replace(_WELL, health=Health("503", 3000), body="busy"), "calls-fail"),
        (replace(_WELL, health=Health("no answer"), body="refused"), "calls-fail"),
        (_alarms("throttles"), "calls-fail"),
        (_alarms("api"), "calls-fail"),
    ],
)
def test_what_callers_meet_is_named_by_its_cause(callers: Callers, name: str) -> None:
    [found] = state.find(observed(live("2"), _SECOND, restorable=_FIRST), callers)
    assert found.name == name
    if name == "calls-fail":
        assert "rollback --environment staging --to 1" in found.command


def test_a_database_that_is_down_is_no_reason_to_roll_back() -> None:
    [found] = state.find(observed(live("2"), _SECOND, restorable=_FIRST), _alarms("database"))
    assert "rollback" not in found.command and "no rollback helps" in found.sentence


def test_a_first_release_that_failed_is_one_state_though_calls_fail() -> None:
    failed = _TROUBLE["first-release-failed"]
    found = state.find(failed, replace(_alarms("errors"), health=Health("500")))
    assert [each.name for each in found] == ["first-release-failed"]


def test_a_rollback_whose_bundle_is_missing_is_not_proposed() -> None:
    seen = observed(live("2"), _SECOND, restorable=_FIRST, unrestorable="s3://b/k is missing")
    [found] = state.find(seen, _alarms("errors"))
    assert "logs" in found.command and not found.otherwise


@pytest.mark.parametrize(
    ("seen", "command", "otherwise"),
    [
        # Either way to keep: what the ledger says, or what serves.
        (observed(live("1"), _SECOND, _FIRST), "rollback .* --to 2 ", "rollback .* --to 1 "),
        # A version that somebody published belongs to no release: it cannot be kept.
        (observed(live("9"), _SECOND, _FIRST), "rollback .* --to 2 ", ""),
        (observed(None, _SECOND, _FIRST), "deploy .* --bundle 222222222222 ", ""),
    ],
)
def test_a_live_that_was_moved_has_each_way_out_that_there_is(
    seen: Observation, command: str, otherwise: str
) -> None:
    [found] = state.find(seen)
    assert re.search(command, found.command) and found.believe == "the ledger"
    assert re.search(otherwise, found.otherwise) and bool(otherwise) == bool(found.otherwise)


def test_a_half_way_rollback_is_finished_and_a_half_way_deployment_taken_back() -> None:
    [deployed] = state.find(observed(live("2", ("3", 0.1)), _UNDER_WAY, _SECOND, sign=_DEAD))
    assert " --to 2 " in deployed.command and "v3 of #3 gets 10 %" in deployed.sentence
    died = rollback(3, "1", 1, "interrupted")
    [rolled_back] = state.find(observed(live("1"), died, _SECOND, _FIRST))
    assert " --to 1 " in rolled_back.command


def test_a_failed_release_that_terraform_applied_is_named_with_its_error() -> None:
    [found] = state.find(_TROUBLE["terraform-ahead"])
    assert "for #3, which failed: v9 is worse than v1: errors" in found.sentence
    assert "v2 of #2 serves all calls" in found.sentence
    died = deployment(3, None, "interrupted")
    unsure = replace(
        _TROUBLE["terraform-ahead"], serving=observed(live("2"), died, _SECOND).serving
    )
    [found] = state.find(unsure)
    assert "by hand or for #3, which died" in found.sentence
    by_hand = replace(_TROUBLE["terraform-ahead"], serving=observed(live("2"), _SECOND).serving)
    [found] = state.find(by_hand)
    assert "outside of any release" in found.sentence


def test_several_states_come_with_the_most_urgent_first() -> None:
    """Those of the service first, unless the calls go where no release sent them."""
    others = {"lock": _lock(600), "latest": version("foreign"), "missing": "k"}
    for points_to, first in (("2", "calls-slow"), ("1", "live-moved")):
        seen = observed(live(points_to), _SECOND, _FIRST, **others)
        names = [found.name for found in state.find(seen, _alarms("duration"))]
        assert names == [first, "state-locked", "code-changed", "bundle-missing"]


def test_commands_are_for_the_environment_that_was_looked_at() -> None:
    seen = replace(_TROUBLE["code-changed"], environment=Environment("production"))
    [found] = state.find(seen)
    assert "--environment production --bundle 222222222222" in found.command
