"""For any request, the handler does what pymongo does, and returns what pymongo returns.

Actions go through the handler to one database, and through pymongo to another. Every answer, and
what is there in the end, must be the same to the byte.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import bson
import pymongo
import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from hypothesis import given
from hypothesis import strategies as st
from pymongo.collection import Collection
from pymongo.errors import PyMongoError
from pymongo.results import UpdateResult

from tests.support.handler import Container, Document
from scratch.mongodb import mongodb_uri
from tests.service.settings import configured

pytestmark = pytest.mark.integration

Call = tuple[str, Document]

_EJSON = "application/ejson"
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_KEYS = st.text("abcé 0_-", min_size=1, max_size=4)
_INT32, _INT64 = (st.integers(-(2**n), 2**n - 1) for n in (31, 63))
_BYTES = st.binary(max_size=8)
_UINT32 = st.integers(0, 2**32 - 1)
_SCALARS = st.one_of(
    st.none() | st.booleans() | _INT32 | _TEXT,
    (_INT64 | _INT32).map(Int64),
    st.floats(allow_nan=False) | st.just(float("nan")),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    # Milliseconds, with years that Python's datetime lacks.
    st.integers(-(2**52), 2**52).map(bson.DatetimeMS),
    st.decimals(places=3, min_value=-(10**9), max_value=10**9).map(Decimal128),
    st.sampled_from(["NaN", "-Infinity", "1E+6000", "-0", "0.000"]).map(Decimal128),
    st.builds(Binary, _BYTES, st.sampled_from([0, 1, 5, 6, 128, 255])),
    st.uuids().map(Binary.from_uuid),
    st.builds(Regex, st.text("ab.*[(", max_size=4), st.sampled_from(["", "i", "imsx"])),
    st.builds(Timestamp, _UINT32, _UINT32),
    st.builds(Code, _TEXT) | st.builds(Code, _TEXT, st.just({"x": 1})),
    st.builds(DBRef, _KEYS, _INT32),
    st.sampled_from([MinKey(), MaxKey()]),
)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=6,
)
# Few of them, so that actions meet what others left.
_IDS = st.none() | st.integers(0, 4)
_NUMBERS = st.integers(-3, 3)


def _documents(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Document]:
    return st.fixed_dictionaries({**fields, "n": _NUMBERS}, optional={"v": _VALUES})


_FILTERS = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"_id": _IDS}),
    st.fixed_dictionaries({"v": _VALUES}),
    st.fixed_dictionaries({"n": st.fixed_dictionaries({"$gte": _NUMBERS})}),
    st.fixed_dictionaries({"v": st.fixed_dictionaries({"$ne": _VALUES})}),
    st.fixed_dictionaries({"v": st.fixed_dictionaries({"$type": st.integers(-1, 20)})}),
    st.fixed_dictionaries({"_id": st.fixed_dictionaries({"$in": st.lists(_IDS, max_size=3)})}),
)
_BY_ID = st.fixed_dictionaries({"_id": _IDS})
_UPDATES = st.one_of(
    st.fixed_dictionaries({"$set": st.fixed_dictionaries({"v": _VALUES})}),
    st.fixed_dictionaries({"$inc": st.fixed_dictionaries({"n": _NUMBERS})}),
    st.fixed_dictionaries({"$push": st.fixed_dictionaries({"v": _VALUES})}),
    st.sampled_from([{"$unset": {"v": ""}}, {"$rename": {"v": "w"}}, {"$mul": {"n": 2}}, {"a": 1}]),
)
_PROJECTIONS = st.sampled_from([{}, {"v": 1}, {"_id": 0, "n": 1}, {"v": 0}, {"v": 1, "n": 0}])
_SORTS = st.sampled_from([{}, {"_id": -1}, {"n": 1, "_id": 1}, {"v": -1, "_id": 1}])
_STAGES = st.one_of(
    st.fixed_dictionaries({"$match": _FILTERS}),
    st.sampled_from(
        [
            {"$sort": {"_id": -1}},
            {"$limit": 2},
            {"$skip": 1},
            {"$count": "documents"},
            {"$project": {"v": 1}},
            {"$set": {"kind": {"$type": "$v"}}},
            {"$group": {"_id": None, "sum": {"$sum": "$n"}, "all": {"$push": "$v"}}},
            {"$unwind": "$v"},
            {"$unknown": 1},
        ]
    ),
)
# What the server would name itself (an upserted document's id) would be different each time.
_UPSERTS = {"filter": _BY_ID, "upsert": st.just(True)}
_FIELDS: dict[str, list[dict[str, st.SearchStrategy[Any]]]] = {
    "findOne": [{"filter": _FILTERS, "projection": _PROJECTIONS}],
    "find": [
        {
            **{"filter": _FILTERS, "projection": _PROJECTIONS, "sort": _SORTS},
            **{"limit": st.integers(0, 3), "skip": st.integers(0, 2)},
        },
        {},
    ],
    "insertOne": [{"document": _documents(_id=_IDS)}],
    "insertMany": [{"documents": st.lists(_documents(_id=_IDS), min_size=1, max_size=4)}],
    "updateOne": [{"filter": _FILTERS, "update": _UPDATES}, {**_UPSERTS, "update": _UPDATES}],
    "updateMany": [{"filter": _FILTERS, "update": _UPDATES}, {**_UPSERTS, "update": _UPDATES}],
    "replaceOne": [
        {"filter": _FILTERS, "replacement": _documents()},
        {**_UPSERTS, "replacement": _documents()},
    ],
    "deleteOne": [{"filter": _FILTERS}],
    "deleteMany": [{"filter": _FILTERS}],
    "aggregate": [{"pipeline": st.lists(_STAGES, max_size=3)}],
}
_CALLS: st.SearchStrategy[Call] = st.one_of(
    [
        st.tuples(st.just(action), st.fixed_dictionaries(fields))
        for action, forms in _FIELDS.items()
        for fields in forms
    ]
)


class Pair:
    """The handler before one database, pymongo before another on the same server."""

    def __init__(self, container: Container, client: pymongo.MongoClient[Document]) -> None:
        self._container = container
        self._client = client
        name = f"model-{uuid.uuid4().hex}"
        options = CodecOptions[Document](datetime_conversion=DatetimeConversion.DATETIME_AUTO)
        self._served = client[f"{name}-served"].get_collection("things", options)
        self._direct = client[f"{name}-direct"].get_collection("things", options)

    def clear(self) -> None:
        for collection in (self._served, self._direct):
            collection.delete_many({})

    def drop(self) -> None:
        for collection in (self._served, self._direct):
            self._client.drop_database(collection.database.name)

    def call(self, action: str, fields: Document) -> None:
        """Perform an action both ways, and compare what comes of it."""
        body = json.loads(json_util.dumps(fields, json_options=json_util.CANONICAL_JSON_OPTIONS))
        reply = self._container.act(action, self._served, accept=_EJSON, **body)
        try:
            status, expected = _directly(self._direct, action, fields)
        except (PyMongoError, ValueError):
            assert reply.status in (400, 403), reply  # a stage that it does not know is refused
            return
        assert reply.status == status, reply
        options = json_util.JSONOptions(
            json_mode=json_util.JSONMode.CANONICAL,
            datetime_conversion=DatetimeConversion.DATETIME_AUTO,
        )
        answer = json_util.loads(reply.text, json_options=options)
        assert bson.encode(answer) == bson.encode(expected), (answer, expected)

    def compare(self) -> None:
        """Compare what is in the databases, byte by byte."""
        contents = []
        for collection in (self._served, self._direct):
            raw = collection.with_options(CodecOptions(RawBSONDocument))
            contents.append([document.raw for document in raw.find(sort=[("_id", 1)])])
        served, direct = contents
        assert served == direct


def _directly(c: Collection[Document], action: str, f: Document) -> tuple[int, Document]:
    """Do with pymongo what an action means; return the status and the answer that it must have."""
    match action:
        case "findOne":
            return 200, {"document": c.find_one(f["filter"], f["projection"] or None)}
        case "find":
            found = c.find(f.get("filter"), f.get("projection") or None)
            found = found.skip(f.get("skip", 0)).limit(f.get("limit", 1_000))
            return 200, {"documents": list(found.sort(f["sort"]) if f.get("sort") else found)}
        case "aggregate":
            return 200, {"documents": list(c.aggregate(f["pipeline"]))}
        case "insertOne":
            return 201, {"insertedId": c.insert_one(f["document"]).inserted_id}
        case "insertMany":
            return 201, {"insertedIds": c.insert_many(f["documents"]).inserted_ids}
        case "deleteOne":
            return 200, {"deletedCount": c.delete_one(f["filter"]).deleted_count}
        case "deleteMany":
            return 200, {"deletedCount": c.delete_many(f["filter"]).deleted_count}
    where, upsert = f["filter"], f.get("upsert", False)
    if action == "replaceOne":
        return _updated(c.replace_one(where, f["replacement"], upsert))
    if action == "updateOne":
        return _updated(c.update_one(where, f["update"], upsert))
    return _updated(c.update_many(where, f["update"], upsert))


def _updated(result: UpdateResult) -> tuple[int, Document]:
    if result.did_upsert:  # of which pymongo says that it matched if the new id is null
        return 201, {"matchedCount": 0, "modifiedCount": 0, "upsertedId": result.upserted_id}
    return 200, {"matchedCount": result.matched_count, "modifiedCount": result.modified_count}


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with mongodb_uri() as uri, configured(uri), pymongo.MongoClient[Document](uri) as client:
        container = Container()
        pair = Pair(container, client)
        yield pair
        pair.drop()
        container.close()


@given(st.lists(_CALLS, min_size=1, max_size=12))
def test_any_actions_give_what_pymongo_gives(pair: Pair, calls: list[Call]) -> None:
    """Ids, counts, documents of every BSON type, statuses, and what is there in the end."""
    pair.clear()
    for action, fields in calls:
        pair.call(action, fields)
    # Sorted, for an order that is the server's own need not be the same twice.
    pair.call("find", {"sort": {"_id": 1}})
    pair.compare()
