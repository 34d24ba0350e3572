"""A sample of `make fuzz`: hostile events, and whether each gets a well-formed answer."""

from __future__ import annotations

import pytest

from tests.service import fuzz, hostile

pytestmark = pytest.mark.integration

_SAMPLE = range(2_000)


def test_hostile_events_are_answered_and_tell_no_secret() -> None:
    """Never an unhandled exception or an ill-formed answer; nothing private in log or answer."""
    with fuzz.running() as running:
        text = running.run(0, _SAMPLE)
    assert not text, "\n".join(text)
    assert set(running.statuses) >= {200, 201, 400, 401, 404, 405}
    assert len(running.services) == 3 and len(running.wrongs) == 11


def test_an_event_is_made_again_by_its_seed_and_number() -> None:
    assert [hostile.make(7, n) for n in range(50)] == [hostile.make(7, n) for n in range(50)]


def test_a_failing_event_is_made_smaller() -> None:
    """What has nothing to do with the failure goes, in a JSON body too."""
    event = {"path": "/a", "headers": {"a": "b"}, "body": '{"filter": {"a": 1}, "sort": {"b": 2}}'}
    smaller = fuzz.minimise(event, lambda each: '"sort"' in str(each.get("body")))
    assert smaller == {"body": '{"sort": {}}'}
