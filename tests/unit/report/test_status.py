"""The status of an environment: what people read, and that machines get the same facts."""

from __future__ import annotations

import json

from pipeline.release import state
from pipeline.release.lease import Sign
from pipeline.release.observation import Callers, Observation
from pipeline.report import status
from pipeline.report.status import Status
from pipeline.traffic.invoke import Health
from tests.support.environments import deployment, live, observed

_FIRST, _SECOND = deployment(1, "1"), deployment(2, "2")
_UNDER_WAY = deployment(3, None, "under way")
_WELL = Callers("https://api.example.com", Health("200", 12), "{}", ())


def _of(observation: Observation, callers: Callers = _WELL) -> Status:
    return Status(observation, callers, state.find(observation, callers))


def _text(observation: Observation) -> str:
    return "\n".join(status.lines(_of(observation)))


def test_where_all_agrees_the_status_says_what_serves_and_the_way_back() -> None:
    text = _text(observed(live("2"), _SECOND, _FIRST, restorable=_FIRST))
    assert "v2 of #2 gets 100 % since 2026-11-28T11:01:00Z: deploy by ada, bundle 2222" in text
    assert "https://api.example.com  GET /api/health: 200 in 12 ms" in text
    assert "#1" in text and "rollback --environment staging" in text
    assert text.endswith("nothing needs a person")


def test_a_canary_shows_each_share_and_the_last_sign_of_life() -> None:
    seen = observed(live("2", ("3", 0.1)), _UNDER_WAY, _SECOND, sign=Sign(3, "word", 4.2))
    text = _text(seen)
    assert "v2 of #2 gets 90 %" in text and "v3 of #3 gets 10 %" in text
    assert "#3 is under way" in text and "last sign of life 4 s ago" in text


def test_each_state_comes_with_what_to_believe_and_both_ways_out() -> None:
    text = _text(observed(live("1"), _SECOND, _FIRST))
    assert "\nlive-moved: somebody moved live: v1 of #1 serves all calls" in text
    assert "  believe  the ledger" in text and "nothing needs a person" not in text
    assert "  run      python -m pipeline rollback --environment staging --to 2" in text
    assert "  or       to keep what serves: python -m pipeline rollback" in text


def test_machines_get_the_same_facts() -> None:
    seen = observed(live("1"), _SECOND, _FIRST)
    document = json.loads(json.dumps(status.document(_of(seen))))
    assert document["content"] is False and document["route"] == "moved"
    assert [found["name"] for found in document["states"]] == ["live-moved"]
    [share] = document["shares"]
    assert (share["version"], share["release"], share["bundle"]) == ("1", 1, _FIRST.bundle)
    assert (document["serving"]["number"], document["api"]["health"]) == (2, "200")
