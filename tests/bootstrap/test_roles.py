"""What the roles may do: all that releases need.

The journey's calls are made with the roles of the jobs that make them on GitHub. What a role does
not allow is refused as it is on AWS, so a missing permission ends the journey. What the roles grant
beyond what is needed is found in test_permissions.py.
"""

from __future__ import annotations

import pytest

from tests.bootstrap import needs
from tests.bootstrap.journey import Journey

pytestmark = pytest.mark.integration


def test_every_call_of_a_release_is_allowed(journey: Journey) -> None:
    """The functions' own calls included, which have their role and its boundary."""
    assert {call["caller"] for call in journey.calls} >= {
        "mongo-client-staging",
        "mongo-client-staging-deploy",
        "mongo-client-staging-rollback",
        "mongo-client-production-plan",
    }
    assert [call for call in journey.calls if not call["allowed"]] == []


def test_every_call_that_was_made_has_a_row(journey: Journey) -> None:
    """`needs.py` has everything that a release was seen to need, and more than that."""
    rows = {(purpose, row.action) for row in needs.everything() for purpose in row.roles}
    made = {
        (call["caller"].rpartition("-")[2], action)
        for call in journey.calls
        if call["caller"].endswith(("-plan", "-deploy", "-rollback"))
        for action, _ in call["needed"]
    }
    assert made and made - rows == set()
