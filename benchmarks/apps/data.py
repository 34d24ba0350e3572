"""What every app does with the database, in as few words as pymongo allows."""

import json
import os
from typing import Any

from pymongo import MongoClient

_client: MongoClient[dict[str, Any]] = MongoClient(os.environ["MONGODB_URI"])


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


def to_json(value: object) -> str:
    """Write an answer; ids and dates become strings."""
    return json.dumps(value, default=str, separators=(",", ":"))
