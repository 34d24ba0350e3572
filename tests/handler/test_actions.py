"""The ten actions of the Data API: fields, answers and statuses."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId
from pymongo.collection import Collection

from tests.support.handler import Container, Document


def names(documents: list[Document]) -> list[str]:
    """Return the names in documents, in their order."""
    return [document["name"] for document in documents]


@pytest.fixture
def fruit(collection: Collection[Document]) -> Collection[Document]:
    """A collection of three fruits."""
    collection.insert_many(
        [{"name": "apple", "n": 1}, {"name": "banana", "n": 2}, {"name": "cherry", "n": 3}]
    )
    return collection


def test_find_one_answers_the_first_match(
    container: Container, fruit: Collection[Document]
) -> None:
    """findOne answers one document, with the fields that the projection names."""
    reply = container.act(
        "findOne", fruit, filter={"n": {"$gte": 2}}, projection={"_id": 0, "name": 1}
    )

    assert (reply.status, reply.json) == (200, {"document": {"name": "banana"}})


def test_find_one_answers_null_without_a_match(
    container: Container, fruit: Collection[Document]
) -> None:
    """Nothing found is an answer, not an error."""
    reply = container.act("findOne", fruit, filter={"name": "durian"})

    assert (reply.status, reply.json) == (200, {"document": None})


def test_find_sorts_skips_and_limits(container: Container, fruit: Collection[Document]) -> None:
    """find takes a filter, a projection, a sort order of several keys, a limit and a skip."""
    fruit.insert_one({"name": "avocado", "n": 1})
    reply = container.act(
        "find",
        fruit,
        filter={"n": {"$lte": 2}},
        projection={"name": 1, "_id": 0},
        sort={"n": -1, "name": -1},
        skip=1,
        limit=1,
    )

    assert (reply.status, reply.json) == (200, {"documents": [{"name": "avocado"}]})


@pytest.mark.parametrize("one", [1.0, {"$numberDouble": "1"}, {"$numberLong": "1"}])
def test_whole_numbers_may_be_written_as_others(
    container: Container, fruit: Collection[Document], one: Any
) -> None:
    """JSON has one type for numbers; Extended JSON names three."""
    reply = container.act("find", fruit, sort={"n": one}, skip=one, limit=one)

    assert (reply.status, names(reply.json["documents"])) == (200, ["banana"])


@pytest.mark.parametrize("empty", [{}, None])
def test_find_takes_empty_options_as_none(
    container: Container, fruit: Collection[Document], empty: Document | None
) -> None:
    """Clients send empty objects or null for the options that they do not use."""
    reply = container.act("find", fruit, filter=empty, projection=empty, sort=empty, limit=None)

    assert names(reply.json["documents"]) == ["apple", "banana", "cherry"]


def test_find_answers_1000_documents_by_default(
    container: Container, collection: Collection[Document]
) -> None:
    """The hosted API's default limit holds; a request may set a larger one, or 0 for no limit."""
    collection.insert_many({"n": n} for n in range(1_100))

    assert len(container.act("find", collection).json["documents"]) == 1_000
    assert len(container.act("find", collection, limit=1_050).json["documents"]) == 1_050
    assert len(container.act("find", collection, limit=0).json["documents"]) == 1_100


def test_insert_one_answers_the_new_id(
    container: Container, collection: Collection[Document]
) -> None:
    """insertOne answers 201 and the id that MongoDB's driver gave the document."""
    reply = container.act("insertOne", collection, document={"name": "fig"})

    assert reply.status == 201
    inserted = ObjectId(reply.json["insertedId"])
    assert collection.find_one() == {"_id": inserted, "name": "fig"}


def test_insert_one_keeps_an_id_of_the_caller(
    container: Container, collection: Collection[Document]
) -> None:
    """An id that the caller chose is stored and answered as it is."""
    reply = container.act("insertOne", collection, document={"_id": "f", "name": "fig"})

    assert (reply.status, reply.json) == (201, {"insertedId": "f"})


def test_insert_many_answers_the_ids_in_order(
    container: Container, collection: Collection[Document]
) -> None:
    """insertMany answers 201 and the ids in the order of the documents."""
    reply = container.act("insertMany", collection, documents=[{"_id": 2}, {"_id": 1}, {"x": 0}])

    assert reply.status == 201
    assert reply.json["insertedIds"][:2] == [2, 1]
    assert collection.count_documents({"_id": ObjectId(reply.json["insertedIds"][2])}) == 1


def test_update_one_counts_what_matched_and_changed(
    container: Container, fruit: Collection[Document]
) -> None:
    """updateOne answers 200 and both counts, and no upsertedId."""
    changed = container.act("updateOne", fruit, filter={"name": "apple"}, update={"$set": {"n": 9}})
    same = container.act("updateOne", fruit, filter={"name": "apple"}, update={"$set": {"n": 9}})

    assert (changed.status, changed.json) == (200, {"matchedCount": 1, "modifiedCount": 1})
    assert (same.status, same.json) == (200, {"matchedCount": 1, "modifiedCount": 0})


def test_update_many_changes_every_match(container: Container, fruit: Collection[Document]) -> None:
    """updateMany changes all that the filter matches."""
    reply = container.act("updateMany", fruit, filter={"n": {"$gt": 1}}, update={"$inc": {"n": 10}})

    assert (reply.status, reply.json) == (200, {"matchedCount": 2, "modifiedCount": 2})
    assert sorted(document["n"] for document in fruit.find()) == [1, 12, 13]


def test_replace_one_leaves_nothing_of_the_old_document(
    container: Container, fruit: Collection[Document]
) -> None:
    """replaceOne keeps the id and nothing else."""
    reply = container.act("replaceOne", fruit, filter={"n": 1}, replacement={"name": "apricot"})

    assert (reply.status, reply.json) == (200, {"matchedCount": 1, "modifiedCount": 1})
    assert fruit.find_one({"name": "apricot"}, {"_id": 0}) == {"name": "apricot"}


@pytest.mark.parametrize(
    ("action", "change"),
    [
        ("updateOne", {"update": {"$set": {"n": 4}}}),
        ("updateMany", {"update": {"$set": {"n": 4}}}),
        ("replaceOne", {"replacement": {"name": "date", "n": 4}}),
    ],
)
def test_an_upsert_that_inserts_answers_201_and_the_id(
    container: Container, fruit: Collection[Document], action: str, change: Document
) -> None:
    """An upsert that matches nothing inserts and returns the id; one that matches is an update."""
    inserted = container.act(action, fruit, filter={"name": "date"}, upsert=True, **change)
    matched = container.act(action, fruit, filter={"name": "date"}, upsert=True, **change)

    document = fruit.find_one({"name": "date"})
    assert document and document["n"] == 4
    assert (inserted.status, inserted.json) == (
        201,
        {"matchedCount": 0, "modifiedCount": 0, "upsertedId": str(document["_id"])},
    )
    assert (matched.status, matched.json["matchedCount"]) == (200, 1)
    assert "upsertedId" not in matched.json


@pytest.mark.parametrize(
    ("action", "change"),
    [("updateOne", {"update": {"$set": {"a": 1}}}), ("replaceOne", {"replacement": {"a": 1}})],
)
def test_an_upsert_of_the_id_null_matched_nothing(
    container: Container, collection: Collection[Document], action: str, change: Document
) -> None:
    """null is an id like others."""
    reply = container.act(action, collection, filter={"_id": None}, upsert=True, **change)

    assert collection.find_one() == {"_id": None, "a": 1}
    assert (reply.status, reply.json) == (
        201,
        {"matchedCount": 0, "modifiedCount": 0, "upsertedId": None},
    )


def test_without_upsert_nothing_is_inserted(
    container: Container, fruit: Collection[Document]
) -> None:
    """Upsert is off by default."""
    reply = container.act("updateOne", fruit, filter={"name": "date"}, update={"$set": {"n": 4}})

    assert (reply.status, reply.json) == (200, {"matchedCount": 0, "modifiedCount": 0})
    assert fruit.count_documents({}) == 3


def test_delete_one_deletes_one(container: Container, fruit: Collection[Document]) -> None:
    """deleteOne deletes one of several matches."""
    reply = container.act("deleteOne", fruit, filter={"n": {"$gt": 1}})

    assert (reply.status, reply.json) == (200, {"deletedCount": 1})
    assert fruit.count_documents({}) == 2


def test_delete_many_deletes_every_match(container: Container, fruit: Collection[Document]) -> None:
    """deleteMany deletes all that the filter matches, and nothing else."""
    reply = container.act("deleteMany", fruit, filter={"n": {"$gt": 1}})

    assert (reply.status, reply.json) == (200, {"deletedCount": 2})
    assert names(list(fruit.find())) == ["apple"]


def test_aggregate_answers_what_the_pipeline_yields(
    container: Container, fruit: Collection[Document]
) -> None:
    """aggregate runs a pipeline, on the server."""
    group = {"$group": {"_id": {"$gt": ["$n", 1]}, "sum": {"$sum": "$n"}}}
    reply = container.act("aggregate", fruit, pipeline=[group, {"$sort": {"sum": 1}}])

    assert reply.status == 200
    assert reply.json == {"documents": [{"_id": False, "sum": 1}, {"_id": True, "sum": 5}]}


def test_regex_is_an_operator_like_any_other(
    container: Container, fruit: Collection[Document]
) -> None:
    """$regex keeps its options and its sibling operators."""
    condition = {"$regex": "^[AB]", "$options": "i", "$ne": "apple"}
    reply = container.act("find", fruit, filter={"name": condition})

    assert names(reply.json["documents"]) == ["banana"]
