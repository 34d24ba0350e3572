"""What the frameworks' apps share: pymongo's calls, a key, a deadline, a line of log."""

import hashlib
import hmac
import json
import os
import time
from typing import Any

import pymongo
from pymongo import MongoClient

_client: MongoClient[dict[str, Any]] = MongoClient(os.environ["MONGODB_URI"])
_KEYS: dict[str, str] = json.loads(os.environ["API_KEYS"])
_DEADLINE_S = 9


def find_one(fields: dict[str, Any]) -> dict[str, Any]:
    found = _client[fields["database"]][fields["collection"]].find_one(fields["filter"])
    return {"document": found}


def insert_one(fields: dict[str, Any]) -> dict[str, Any]:
    collection = _client[fields["database"]][fields["collection"]]
    return {"insertedId": collection.insert_one(fields["document"]).inserted_id}


def find(fields: dict[str, Any]) -> dict[str, Any]:
    collection = _client[fields["database"]][fields["collection"]]
    limit = fields["limit"]
    return {"documents": list(collection.find(fields["filter"], limit=limit, batch_size=limit))}


ACTIONS = {"findOne": find_one, "insertOne": insert_one, "find": find}


def act(action: str, fields: dict[str, Any], key: str | None) -> dict[str, Any]:
    """Do an action for whoever has a key, in time; say so in the log."""
    began_s = time.monotonic()
    digest = hashlib.sha256((key or "").encode()).hexdigest()
    if not any([hmac.compare_digest(digest, each) for each in _KEYS]):
        raise PermissionError("wrong key")
    with pymongo.timeout(_DEADLINE_S):
        result = ACTIONS[action](fields)
    took_ms = round((time.monotonic() - began_s) * 1_000, 1)
    print(json.dumps({"action": action, "caller": digest[:8], "durationMs": took_ms}))
    return result


def to_json(value: object) -> str:
    """Write an answer; ids and dates become strings."""
    return json.dumps(value, default=str, separators=(",", ":"))
