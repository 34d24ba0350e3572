"""The two formats of answers, and Extended JSON in requests."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from bson import (
    Binary,
    Code,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from pymongo.collection import Collection

from scratch.events import KEY
from tests.support.handler import Container, Document

PLAIN, EXTENDED = "application/json", "application/ejson"
OID = "5d505646cf6d4fe581014ab2"

# Value in MongoDB, canonical Extended JSON, plain JSON as the hosted Data API wrote it.
TYPES: dict[str, tuple[Any, Any, Any]] = {
    "string": ("naïve ☃ \u2028", "naïve ☃ \u2028", "naïve ☃ \u2028"),
    "null": (None, None, None),
    "boolean": (True, True, True),
    "object id": (ObjectId(OID), {"$oid": OID}, OID),
    "int32": (10, {"$numberInt": "10"}, 10),
    "int64": (Int64(50), {"$numberLong": "50"}, 50),
    "large int64": (Int64(2**53 + 1), {"$numberLong": "9007199254740993"}, 2**53 + 1),
    "double": (10.5, {"$numberDouble": "10.5"}, 10.5),
    "infinity": (
        float("-inf"),
        {"$numberDouble": "-Infinity"},
        {"$numberDouble": "-Infinity"},
    ),
    "decimal": (Decimal128("9823.1297"), {"$numberDecimal": "9823.1297"}, "9823.1297"),
    "date": (
        datetime.datetime(2022, 1, 12, 2, 33, 23, 67_000),
        {"$date": {"$numberLong": "1641954803067"}},
        "2022-01-12T02:33:23.067Z",
    ),
    "date without a fraction": (
        datetime.datetime(1969, 12, 31, 23, 59, 59),
        {"$date": {"$numberLong": "-1000"}},
        "1969-12-31T23:59:59.000Z",
    ),
    "date after the year 9999": (
        DatetimeMS(253402300800000),
        {"$date": {"$numberLong": "253402300800000"}},
        {"$date": {"$numberLong": "253402300800000"}},
    ),
    "binary": (
        Binary(b"\x00\xff", 5),
        {"$binary": {"base64": "AP8=", "subType": "05"}},
        {"Subtype": 5, "Data": "AP8="},
    ),
    "bytes": (
        b"\x00\xff",
        {"$binary": {"base64": "AP8=", "subType": "00"}},
        {"Subtype": 0, "Data": "AP8="},
    ),
    "regular expression": (
        Regex("^H", "i"),
        {"$regularExpression": {"pattern": "^H", "options": "i"}},
        {"Pattern": "^H", "Options": "i"},
    ),
    "timestamp": (
        Timestamp(1565545664, 1),
        {"$timestamp": {"t": 1565545664, "i": 1}},
        {"T": 1565545664, "I": 1},
    ),
    "min key": (MinKey(), {"$minKey": 1}, {}),
    "max key": (MaxKey(), {"$maxKey": 1}, {}),
    "reference": (
        DBRef("things", ObjectId(OID)),
        {"$ref": "things", "$id": {"$oid": OID}},
        {"$ref": "things", "$id": OID},
    ),
    "reference with a database and more": (
        DBRef("things", 1, "shop", note="x"),
        {"$ref": "things", "$id": {"$numberInt": "1"}, "$db": "shop", "note": "x"},
        {"$ref": "things", "$id": 1, "$db": "shop", "note": "x"},
    ),
    "code": (Code("x"), {"$code": "x"}, "x"),
    "code with a scope": (
        Code("x", {"a": 1}),
        {"$code": "x", "$scope": {"a": {"$numberInt": "1"}}},
        "x",
    ),
    "smallest int64": (Int64(-(2**63)), {"$numberLong": str(-(2**63))}, -(2**63)),
    "largest int64": (Int64(2**63 - 1), {"$numberLong": str(2**63 - 1)}, 2**63 - 1),
    "smallest int32": (-(2**31), {"$numberInt": str(-(2**31))}, -(2**31)),
    "smallest double": (5e-324, {"$numberDouble": "5e-324"}, 5e-324),
    "decimal NaN": (Decimal128("NaN"), {"$numberDecimal": "NaN"}, "NaN"),
    "decimal infinity": (Decimal128("-Infinity"), {"$numberDecimal": "-Infinity"}, "-Infinity"),
    "decimal -0": (Decimal128("-0E-6176"), {"$numberDecimal": "-0E-6176"}, "-0E-6176"),
    "decimal of 34 digits": (
        Decimal128("9.999999999999999999999999999999999E+6144"),
        {"$numberDecimal": "9.999999999999999999999999999999999E+6144"},
        "9.999999999999999999999999999999999E+6144",
    ),
    "date before the year 1": (
        DatetimeMS(-(2**63)),
        {"$date": {"$numberLong": str(-(2**63))}},
        {"$date": {"$numberLong": str(-(2**63))}},
    ),
    "date of the year 1": (
        datetime.datetime(1, 1, 1),
        {"$date": {"$numberLong": "-62135596800000"}},
        "0001-01-01T00:00:00.000Z",
    ),
    "uuid": (
        Binary(bytes(range(16)), 4),
        {"$binary": {"base64": "AAECAwQFBgcICQoLDA0ODw==", "subType": "04"}},
        {"Subtype": 4, "Data": "AAECAwQFBgcICQoLDA0ODw=="},
    ),
    "binary of a user's type": (
        Binary(b"", 128),
        {"$binary": {"base64": "", "subType": "80"}},
        {"Subtype": 128, "Data": ""},
    ),
    "regular expression with options": (
        Regex('a"/', "imsx"),
        {"$regularExpression": {"pattern": 'a"/', "options": "imsx"}},
        {"Pattern": 'a"/', "Options": "imsx"},
    ),
    "largest timestamp": (
        Timestamp(2**32 - 1, 2**32 - 1),
        {"$timestamp": {"t": 2**32 - 1, "i": 2**32 - 1}},
        {"T": 2**32 - 1, "I": 2**32 - 1},
    ),
    "empty": ({"a": {}, "b": [], "": ""}, {"a": {}, "b": [], "": ""}, {"a": {}, "b": [], "": ""}),
    "nested": (
        {"a": [ObjectId(OID), {"b": 1}]},
        {"a": [{"$oid": OID}, {"b": {"$numberInt": "1"}}]},
        {"a": [OID, {"b": 1}]},
    ),
}


@pytest.fixture(params=TYPES.values(), ids=list(TYPES))
def forms(request: pytest.FixtureRequest) -> tuple[Any, Any, Any]:
    """A value of each type, in its three forms."""
    forms: tuple[Any, Any, Any] = request.param
    return forms


def test_extended_json_keeps_every_type_both_ways(
    container: Container, collection: Collection[Document], forms: tuple[Any, Any, Any]
) -> None:
    """What comes in as Extended JSON is stored with its type, and goes out in the same words."""
    value, extended, _ = forms
    container.act("insertOne", collection, document={"_id": 1, "value": extended})
    reply = container.act("findOne", collection, accept=EXTENDED)

    options = CodecOptions[Document](datetime_conversion=DatetimeConversion.DATETIME_AUTO)
    stored = collection.with_options(options).find_one()
    assert stored == {"_id": 1, "value": value}
    assert type(stored["value"]) is type(value)
    assert reply.headers["Content-Type"] == EXTENDED
    assert reply.json == {"document": {"_id": {"$numberInt": "1"}, "value": extended}}


def test_plain_json_is_what_the_hosted_api_wrote(
    container: Container, collection: Collection[Document], forms: tuple[Any, Any, Any]
) -> None:
    """Plain JSON answers lose types, in the way that clients know."""
    value, _, plain = forms
    collection.insert_one({"_id": 1, "value": value})
    reply = container.act("find", collection, accept=PLAIN)

    assert reply.headers["Content-Type"] == PLAIN
    assert reply.json == {"documents": [{"_id": 1, "value": plain}]}


@pytest.mark.parametrize(
    ("sent", "text"),
    [({"$numberDouble": "NaN"}, "NaN"), ({"$numberDouble": "-0.0"}, "-0.0"), (-0.0, "-0.0")],
)
def test_doubles_that_equality_does_not_tell_apart_are_kept(
    container: Container, collection: Collection[Document], sent: Any, text: str
) -> None:
    """NaN is unequal to itself, and -0.0 equals 0."""
    container.act("insertOne", collection, document={"_id": 1, "value": sent})
    reply = container.act("findOne", collection, accept=EXTENDED)

    assert repr(collection.find_one({})["value"]).lower() == text.lower()  # type: ignore[index]
    assert reply.json["document"]["value"] == {"$numberDouble": text}


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({"$symbol": "x"}, {"value": "x"}),
        ({"$uuid": "00010203-0405-0607-0809-0a0b0c0d0e0f"}, {"value": Binary(bytes(range(16)), 4)}),
        (
            {"$date": "1969-12-31T23:59:59.999Z"},
            {"value": datetime.datetime(1969, 12, 31, 23, 59, 59, 999_000)},
        ),
        (
            {"$date": {"$numberLong": "-1"}},
            {"value": datetime.datetime(1969, 12, 31, 23, 59, 59, 999_000)},
        ),
        ({"$undefined": True}, {"value": None}),
        (
            {"$dbPointer": {"$ref": "things", "$id": {"$oid": OID}}},
            {"value": DBRef("things", ObjectId(OID))},
        ),
        (2**31, {"value": Int64(2**31)}),
        (1e2, {"value": 100.0}),
    ],
)
def test_relaxed_and_deprecated_forms_are_read(
    container: Container, collection: Collection[Document], sent: Any, stored: Document
) -> None:
    """What Python has no type for becomes what takes its place in MongoDB's driver."""
    assert container.act("insertOne", collection, document={"value": sent}).status == 201
    found = collection.find_one({}, {"_id": 0})
    assert found == stored
    assert type(found["value"]) is type(stored["value"])


@pytest.mark.parametrize("content_type", [PLAIN, EXTENDED])
def test_relaxed_extended_json_is_read_under_either_content_type(
    container: Container, collection: Collection[Document], content_type: str
) -> None:
    """Published clients send {"$oid": …} as application/json."""
    collection.insert_one({"_id": ObjectId(OID), "at": datetime.datetime(2022, 1, 12)})
    fields = {
        "dataSource": "mongodb",
        "database": collection.database.name,
        "collection": collection.name,
        "filter": {"_id": {"$oid": OID}, "at": {"$date": "2022-01-12T01:00:00.000+01:00"}},
    }
    reply = container.call(
        "POST",
        "/api/data/v1/action/findOne",
        headers={"apiKey": KEY, "Content-Type": content_type},
        body=json.dumps(fields),
    )

    assert reply.json == {"document": {"_id": OID, "at": "2022-01-12T00:00:00.000Z"}}


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("application/ejson", EXTENDED),
        ("Application/EJSON; charset=utf-8", EXTENDED),
        ("text/html, application/ejson;q=0.9", EXTENDED),
        ("application/json, text/plain, */*", PLAIN),
        ("application/json, application/ejson", PLAIN),
        ("*/*", PLAIN),
        ("", PLAIN),
    ],
)
def test_the_accept_header_chooses_the_format(
    container: Container, collection: Collection[Document], accept: str, chosen: str
) -> None:
    """The first format named that there is; plain JSON when none is."""
    reply = container.act("insertOne", collection, accept=accept, document={"_id": 1})

    assert reply.headers["Content-Type"] == chosen
    assert reply.json == {"insertedId": 1 if chosen == PLAIN else {"$numberInt": "1"}}
