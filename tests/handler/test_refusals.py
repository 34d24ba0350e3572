"""Refused requests: the response names the problem, and nothing else happens."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import monitoring
from pymongo.collection import Collection

from scratch import events
from scratch.events import KEY
from tests.support.handler import EVERY_ACTION, Container, Document, Reply

TARGET = {"dataSource": "mongodb", "database": "nowhere", "collection": "nothing"}
REQUIRED = [
    (action, field) for action, fields in EVERY_ACTION.items() for field in (*TARGET, *fields)
]


def post(container: Container, action: str, body: str | None, *, is_base64: bool = False) -> Reply:
    """Send a body as it is, with the key."""
    event = events.http_api(
        "POST", f"/api/data/v1/action/{action}", {"apiKey": KEY}, body, base64=is_base64
    )
    return container.invoke(event)


def assert_refused(reply: Reply, code: str, *words: str, status: int = 400) -> None:
    """Check that an answer is the Data API's error object, and says these words."""
    assert (reply.status, reply.json["error_code"]) == (status, code)
    assert set(reply.json) == {"error", "error_code", "link"}
    assert reply.headers["Content-Type"] == "application/json"
    for word in words:
        assert word in reply.json["error"]


@pytest.mark.parametrize(("action", "field"), REQUIRED)
@pytest.mark.parametrize("absent", [True, False])
def test_a_missing_required_field_is_named(
    container: Container, action: str, field: str, absent: bool
) -> None:
    """A field that is required may be neither absent nor null."""
    body = {**TARGET, **EVERY_ACTION[action], field: None}
    if absent:
        del body[field]

    assert_refused(post(container, action, json.dumps(body)), "MissingParameter", field)


@pytest.mark.parametrize(
    ("action", "field", "value"),
    [(action, field, 7) for action, field in REQUIRED]
    + [(action, field, "x") for action, field in REQUIRED if field not in TARGET]
    + [
        ("find", "database", ""),
        ("find", "filter", [{}]),
        ("find", "filter", {"$oid": "5d505646cf6d4fe581014ab2"}),
        ("findOne", "projection", ["a"]),
        ("find", "sort", [["a", 1]]),
        ("find", "limit", "10"),
        ("find", "limit", 1.5),
        ("find", "limit", True),
        ("find", "limit", -1),
        ("find", "skip", -1),
        ("insertMany", "documents", []),
        ("insertMany", "documents", [{}, 1]),
        ("insertMany", "documents", [{}] * 100_001),
        ("updateOne", "upsert", "true"),
        ("updateMany", "upsert", 1),
        ("updateOne", "update", [{"$set": {"a": 1}}]),
        ("aggregate", "pipeline", {}),
        ("aggregate", "pipeline", ["$match"]),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(
    container: Container, action: str, field: str, value: Any
) -> None:
    """The message names the field, and the kind that it must have."""
    body = {**TARGET, **EVERY_ACTION[action], field: value}

    reply = post(container, action, json.dumps(body))
    assert_refused(reply, "InvalidParameter", f"{field} must be ")


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "{'a': 1}",
        '{"a": 1} {"b": 2}',
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": {"$oid": "too short"}}',
        '{"a": {"$oid": 1}}',
        '{"a": {"$date": "yesterday"}}',
        '{"a": {"$date": []}}',
        '{"a": {"$numberLong": "x"}}',
        '{"a": {"$numberDecimal": "x"}}',
        '{"a": {"$binary": 1}}',
        '{"a": {"$binary": {"base64": "x", "subType": "zz"}}}',
        '{"a": {"$regularExpression": {"pattern": 1, "options": 2}}}',
        '{"a": {"$timestamp": {"t": -1, "i": 1}}}',
        '{"a": {"$code": 1}}',
        '{"a": {"$uuid": "x"}}',
        '{"a": ' + "9" * 5_000 + "}",
        '{"a":' * 100_000,
        "\ufeff{}",
    ],
)
def test_bad_json_is_refused(container: Container, body: str) -> None:
    """Neither JSON nor Extended JSON that is malformed is a server's error."""
    assert_refused(post(container, "findOne", body), "InvalidParameter", "JSON")


def test_of_two_members_with_one_name_the_last_is_checked_and_used(
    container: Container, collection: Collection[Document]
) -> None:
    """So no operator gets past the check behind another member of the same name."""
    collection.insert_many([{"_id": 1, "n": 1}, {"_id": 2, "n": 2}])
    place = {"database": collection.database.name, "collection": collection.name}
    body = json.dumps(TARGET | place)[:-1]
    query, code = '"filter": {"n": 2}', '"filter": {"$where": "true"}'

    reply = post(container, "findOne", f"{body}, {code}, {query}}}")
    assert reply.json == {"document": {"_id": 2, "n": 2}}
    reply = post(container, "findOne", f"{body}, {query}, {code}}}")
    assert_refused(reply, "ArgumentsNotAllowed", status=403)


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/ejson", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 200),  # curl's, in MongoDB's own examples
        ("application/jsonp", 415),
        ("text/plain; application/json", 415),
    ],
)
def test_a_body_of_another_type_is_refused(
    container: Container, content_type: str, status: int
) -> None:
    """Only JSON and Extended JSON are read; a client that names no type sends one of them."""
    headers = {"apiKey": KEY, "Content-Type": content_type}
    path = "/api/data/v1/action/findOne"
    reply = container.call("POST", path, headers=headers, body=json.dumps(TARGET))

    assert reply.status == status
    if status == 415:
        assert_refused(reply, "UnsupportedMediaType", "application/ejson", status=415)


def test_bad_json_is_refused_with_its_position(container: Container) -> None:
    """The message says where reading stopped."""
    reply = post(container, "findOne", '{"database": "a",\n "collection" "b"}')

    assert_refused(reply, "InvalidParameter", "line 2 column 15")


@pytest.mark.parametrize("body", ["[]", '"x"', "1", "true", '{"$oid": "5d505646cf6d4fe581014ab2"}'])
def test_a_body_that_is_no_object_is_refused(container: Container, body: str) -> None:
    """A body is an object."""
    assert_refused(post(container, "findOne", body), "InvalidParameter", "must be an object")


def test_null_for_a_body_is_refused(container: Container) -> None:
    """null is JSON, and no object."""
    assert_refused(post(container, "findOne", "null"), "InvalidParameter", "must be an object")


@pytest.mark.parametrize("part", ["{},", "[],", '{"":0},'])
def test_a_body_that_would_fill_the_memory_is_refused(container: Container, part: str) -> None:
    """Lambda lets six megabytes through, which can be two million objects."""
    body = json.dumps(TARGET | {"filter": {"a": "*"}})
    parts = (part * (5_900_000 // len(part))).rstrip(",")
    reply = post(container, "findOne", body.replace('"*"', f"[{parts}]"))

    assert_refused(reply, "InvalidParameter", "objects and arrays", status=413)


def test_braces_in_a_text_are_no_objects(
    container: Container, collection: Collection[Document]
) -> None:
    """A text may have any number of them, with escapes and quotes."""
    text = '{"[\\' * 300_000
    reply = container.act("insertOne", collection, document={"_id": 1, "text": text})

    assert reply.status == 201
    assert collection.find_one() == {"_id": 1, "text": text}


@pytest.mark.parametrize("text", ['"' + '\\"' * 2_000_000, '"' + '\\"' * 2_000_000 + "\\"])
def test_a_text_without_an_end_is_refused_quickly(container: Container, text: str) -> None:
    """However many quotes are escaped in it, looking for its end takes one pass."""
    body = f'{{"a": [{"[" * 500_001}], "b": {text}'
    assert_refused(post(container, "findOne", body), "InvalidParameter", status=413)


@pytest.mark.parametrize("body", [None, ""])
def test_an_absent_body_is_refused(container: Container, body: str | None) -> None:
    """An action needs a body."""
    assert_refused(post(container, "findOne", body), "MissingParameter", "no body")


@pytest.mark.parametrize("body", ["=", "A", base64.b64encode(b'{"a": "\xff"}').decode()])
def test_a_damaged_encoding_is_refused(container: Container, body: str) -> None:
    """Neither bad base64 nor bad UTF-8 is a server's error."""
    assert_refused(post(container, "findOne", body, is_base64=True), "InvalidParameter", "JSON")


@pytest.mark.parametrize(
    ("action", "fields", "word"),
    [
        ("find", {"filter": {"a": {"$nearby": 1}}}, "$nearby"),
        ("find", {"filter": {"$expr": {"$no": 1}}}, "$no"),
        ("findOne", {"projection": {"a": 1, "b": 0}}, "projection"),
        ("find", {"sort": {"a": 2}}, "sort"),
        ("updateOne", {"filter": {}, "update": {"$put": {"a": 1}}}, "$put"),
        ("aggregate", {"pipeline": [{"$group": {}}]}, "group"),
        ("aggregate", {"pipeline": [{}]}, "stage"),
    ],
)
def test_what_mongodb_refuses_is_the_caller_s_error(
    container: Container, collection: Collection[Document], action: str, fields: Any, word: str
) -> None:
    """MongoDB's own message is handed on, with 400."""
    assert_refused(container.act(action, collection, **fields), "MongoDBError", word)


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("updateOne", {"filter": {}, "update": {"a": 1}}),
        ("updateMany", {"filter": {}, "update": {}}),
        ("replaceOne", {"filter": {}, "replacement": {"$set": {"a": 1}}}),
        ("insertOne", {"document": {"a": 2**64}}),
        ("insertOne", {"document": {"a": "\ud800"}}),
        ("insertOne", {"document": {"a\0b": 1}}),
        ("find", {"sort": {"a": True}, "skip": 2**64}),
        ("insertOne", {"document": {"_id": [1]}}),
    ],
)
def test_what_cannot_be_sent_to_mongodb_is_the_caller_s_error(
    container: Container, collection: Collection[Document], action: str, fields: Any
) -> None:
    """Values that BSON cannot hold, and updates that are none."""
    reply = container.act(action, collection, **fields)

    assert reply.status == 400
    assert collection.count_documents({}) == 0


@pytest.mark.parametrize(
    ("database", "name"), [("a b", "c"), ("a.b", "c"), ("a/b", "c"), ("a", ".c"), ("a", "c..d")]
)
def test_impossible_names_are_the_caller_s_error(
    container: Container, database: str, name: str
) -> None:
    """MongoDB's rules for names of databases and collections."""
    body = {"dataSource": "mongodb", "database": database, "collection": name}

    assert_refused(post(container, "findOne", json.dumps(body)), "InvalidParameter")


def test_a_document_that_is_nested_too_deep_is_the_caller_s_error(
    container: Container, collection: Collection[Document]
) -> None:
    """MongoDB takes 100 levels."""
    body = {**TARGET, "database": collection.database.name, "document": "*"}
    nested = '{"a":' * 500 + "1" + "}" * 500
    reply = post(container, "insertOne", json.dumps(body).replace('"*"', nested))

    assert reply.status == 400


def test_a_duplicate_key_is_the_caller_s_error(
    container: Container, collection: Collection[Document]
) -> None:
    """A key that there is already is refused, in MongoDB's words."""
    collection.insert_one({"_id": 1})

    reply = container.act("insertOne", collection, document={"_id": 1})
    assert_refused(reply, "MongoDBError", "E11000")


def test_a_duplicate_key_among_many_reports_what_was_inserted(
    container: Container,
    collection: Collection[Document],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """insertMany stops at the first refusal; the caller learns how many came before it."""
    documents = [{"_id": 1}, {"_id": 2}, {"_id": 1, "private": "secret"}, {"_id": 3}]
    reply = container.act("insertMany", collection, documents=documents)

    assert_refused(reply, "MongoDBError", "E11000", "inserted before it: 2")
    assert sorted(document["_id"] for document in collection.find()) == [1, 2]
    logged = "".join(capfd.readouterr()) + caplog.text
    assert "secret" not in reply.text + logged


def megabytes(count: float, character: str = "x") -> str:
    """Return text of so many million characters."""
    return character * int(count * 1_000_000)


def test_an_answer_over_lambda_s_limit_is_refused_and_not_cut(
    container: Container, collection: Collection[Document]
) -> None:
    """A caller who asks for too much learns how to page; paging gets everything."""
    collection.insert_many({"_id": n, "text": megabytes(1)} for n in range(8))

    for reply in (
        container.act("find", collection),
        container.act("aggregate", collection, pipeline=[]),
    ):
        assert_refused(reply, "ReadSizeLimitExceeded", "limit", "skip", status=413)
    pages = [container.act("find", collection, limit=4, skip=skip).json for skip in (0, 4)]
    assert [document["_id"] for page in pages for document in page["documents"]] == [*range(8)]


@pytest.mark.parametrize(
    ("character", "fits", "too_large"), [("x", 6.2, 6.3), ("é", 3.1, 3.15), ('"', 1.5, 1.6)]
)
def test_the_limit_counts_bytes_as_lambda_does(
    container: Container,
    collection: Collection[Document],
    character: str,
    fits: float,
    too_large: float,
) -> None:
    """Characters beyond ASCII take several bytes, and quotes are escaped twice."""
    collection.insert_many(
        [
            {"_id": "fits", "text": megabytes(fits, character)},
            {"_id": "too large", "text": megabytes(too_large, character)},
        ]
    )
    for action in ("findOne", "find"):
        assert container.act(action, collection, filter={"_id": "fits"}).status == 200
        assert container.act(action, collection, filter={"_id": "too large"}).status == 413


def test_an_answer_that_does_not_fit_into_the_memory_is_refused(
    container: Container, collection: Collection[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the caller's error, so it must not fire the alarm for 5xx."""

    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Collection, "find_one", fail)
    reply = container.act("findOne", collection)

    assert_refused(reply, "ReadSizeLimitExceeded", "fewer fields", status=413)


def test_documents_are_read_a_thousand_at_a_time(
    container: Container, collection: Collection[Document], commands: list[Document]
) -> None:
    """A reply of MongoDB's has up to 16 MB, which become ten times as much memory."""
    collection.insert_many({"_id": n} for n in range(2_500))
    requests: dict[str, Document] = {
        "find": {"limit": 0},
        "aggregate": {"pipeline": [{"$match": {}}]},
    }
    for action, fields in requests.items():
        commands.clear()
        reply = container.act(action, collection, **fields)

        assert [document["_id"] for document in reply.json["documents"]] == [*range(2_500)]
        first, *others = commands
        assert first.get("cursor", first).get("batchSize") == 1_000
        assert [command["batchSize"] for command in others] == [1_000, 1_000]


@pytest.fixture
def commands() -> Iterator[list[Document]]:
    """The commands that clients which are made from now on send, but for their first ones."""
    sent: list[Document] = []

    class Listener(monitoring.CommandListener):
        def started(self, event: monitoring.CommandStartedEvent) -> None:
            if event.command_name in ("find", "aggregate", "getMore"):
                sent.append(dict(event.command))

        def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
            pass

        def failed(self, event: monitoring.CommandFailedEvent) -> None:
            pass

    listeners = monitoring._LISTENERS.command_listeners
    listeners.append(listener := Listener())
    yield sent
    listeners.remove(listener)


def test_an_unexpected_error_is_logged_and_not_returned(
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The caller gets an error object without detail; the log gets the traceback."""

    def fail(*_: object) -> None:
        raise RuntimeError("a detail")

    monkeypatch.setattr(container.module, "read_body", fail)
    reply = post(container, "findOne", "{}")

    assert_refused(reply, "InternalServerError", status=500)
    assert "detail" not in reply.text
    assert "Traceback" in caplog.text and "RuntimeError: a detail" in caplog.text
