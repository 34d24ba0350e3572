"""GET /api/health: is the database there, and which versions are at work."""

from __future__ import annotations

import pymongo

from tests.support.handler import Container


def test_health_names_the_versions_at_work(
    container: Container, database_client: pymongo.MongoClient[dict[str, object]]
) -> None:
    """A healthy service says so, and which MongoDB and which version of the function answer."""
    reply = container.health()

    assert reply.status == 200
    assert reply.json == {
        "status": "ok",
        "database": "ok",
        "serverVersion": database_client.server_info()["version"],
        "functionVersion": "7",
    }
