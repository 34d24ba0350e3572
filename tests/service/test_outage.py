"""A short `make outage`: the database is killed under load, and comes back."""

from __future__ import annotations

import pytest

from scratch.mongodb import Mongod
from tests.service.deployed import Service
from tests.service.outage import LONG_S, SHORT_S, Outage

pytestmark = pytest.mark.extended


def test_no_acknowledged_write_is_lost_or_done_twice(service: Service, mongod: Mongod) -> None:
    """503 while the database is down, and the same containers write again when it is up."""
    outage = Outage(service)
    outage.suffer(mongod, [SHORT_S])
    # A runtime that was ended would have got another log stream.
    writers = service.containers()
    outage.suffer(mongod, [LONG_S])
    assert not outage.problems(), outage.summary()
    assert service.containers() == writers
