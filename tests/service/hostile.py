"""Events that nobody should send: malformed, huge, deep, ambiguous, or with operators in them.

An event is decided by a seed and its number alone, so that any of them can be made again.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scratch import events
from scratch.events import KEY

# Is in documents and headers only, and so must be in no line of the log.
PRIVATE = "private-3f9c"

_NAMES = {"dataSource": "mongodb", "database": "fuzz", "collection": "things"}
_FILTERS: list[Any] = [{}, {"n": {"$gte": 1}}, {"name": PRIVATE}, {"_id": 1}]
_UPDATES: list[Any] = [{"$set": {"name": PRIVATE}}, {"$inc": {"n": 1}}, {"$unset": {"n": 1}}]
_DOCUMENT: dict[str, Any] = {"name": PRIVATE, "n": 1, "tags": ["a", {"b": None}]}
_FIELDS: dict[str, dict[str, list[Any]]] = {
    "findOne": {"filter": _FILTERS, "projection": [{"name": 1}]},
    "find": {"filter": _FILTERS, "sort": [{"n": -1}], "limit": [5], "skip": [0, 1]},
    "insertOne": {"document": [_DOCUMENT]},
    "insertMany": {"documents": [[_DOCUMENT, _DOCUMENT]]},
    "updateOne": {"filter": _FILTERS, "update": _UPDATES, "upsert": [True, False]},
    "updateMany": {"filter": [{"n": 2}], "update": _UPDATES, "upsert": [True, False]},
    "replaceOne": {"filter": _FILTERS, "replacement": [_DOCUMENT], "upsert": [False]},
    "deleteOne": {"filter": _FILTERS},
    "deleteMany": {"filter": [{"n": {"$gt": 1}}, {"name": "nobody"}]},
    "aggregate": {"pipeline": [[{"$match": {}}, {"$limit": 3}], [{"$count": "n"}], []]},
}


def _deep(depth: int, array: bool) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if array else {"a": value}
    return value


_PLAIN: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**400, 1e308, -0.5),
    *("", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "\r\nSet-Cookie: a=b", "é", "\U0001f980"),
    *("true", "null", "NaN", "../..", "%00", "x" * 10_000, [], {}, [[]], {"": ""}, ["a", 1, None]),
    *(_deep(90, True), _deep(150, False), _deep(400, True), {"\ud800": "\ud800"}, {"\0": 1}),
]
_OPERATORS: list[Any] = [
    *({"$gt": ""}, {"$ne": None}, {"$in": [None]}, {"$in": 1}, {"$not": {}}, {"$exists": "x"}),
    *({"$where": "true"}, {"$expr": {"$eq": [1, 1]}}, {"$or": []}, {"$or": [{}]}, {"$and": {}}),
    *({"$regex": "(("}, {"$regex": ".*", "$options": "xyz"}, {"$regex": 1}, {"$text": {}}),
    *({"$jsonSchema": {}}, {"$mod": [0, 0]}, {"$size": -1}, {"$type": "x"}, {"$elemMatch": 1}),
    *({"$set": {}}, {"$set": {"_id": 9}}, {"$rename": {"a": "a"}}, {"$push": {"name": 1}}),
    *({"$inc": {"name": 1}}, {"$unknown": 1}, {"$": 1}, {"a.$.b": 1}, {"a..b": 1}, {".": 1}),
    *({"$lookup": {"from": "x"}}, {"$out": "fuzz_out"}, {"$merge": "fuzz_out"}, {"$limit": 0}),
    *({"$group": {}}, {"$project": {}}, {"$sample": {"size": -1}}, {"$facet": {"$a": []}}),
    *({"$function": {"body": "function() {}", "args": [], "lang": "js"}}, {"$sort": {"a": 2}}),
    *({"$currentOp": {}}, {"$collStats": {}}, {"$indexStats": {}}, {"$unionWith": "x"}),
]
_EXTENDED: list[Any] = [
    *({"$oid": "x"}, {"$oid": 1}, {"$oid": "0" * 24, "a": 1}, {"$date": "x"}, {"$date": 1e300}),
    *({"$date": {"$numberLong": "9223372036854775807"}}, {"$date": {"$numberLong": "x"}}),
    *({"$numberLong": "9" * 30}, {"$numberLong": 1}, {"$numberInt": "1e5"}, {"$numberInt": "x"}),
    *({"$numberDecimal": "x"}, {"$numberDecimal": "1E+9999"}, {"$numberDecimal": "NaN"}),
    *({"$numberDouble": "Infinity"}, {"$numberDouble": "x"}, {"$binary": {}}, {"$uuid": "x"}),
    *({"$binary": {"base64": "?", "subType": "00"}}, {"$binary": {"base64": "", "subType": "zz"}}),
    *({"$regularExpression": {"pattern": "(", "options": "Z"}}, {"$regularExpression": 1}),
    *({"$timestamp": {"t": -1, "i": 2**40}}, {"$timestamp": 1}, {"$minKey": 1}, {"$maxKey": 2}),
    *({"$code": 1}, {"$code": "x", "$scope": 1}, {"$ref": "a", "$id": 1}, {"$ref": 1, "$id": {}}),
    *({"$undefined": True}, {"$symbol": "x"}, {"$dbPointer": {"$ref": 1}}, {"$dbPointer": 1}),
]
_NAMES_OF_NAMESPACES = [
    "admin",
    "local",
    "config",
    "system.users",
    "a.b",
    "$cmd",
    "a b",
    "/",
    "fuzz",
]
_IN_BODIES = _PLAIN + _OPERATORS + _EXTENDED + _NAMES_OF_NAMESPACES + [PRIVATE, {PRIVATE: 1}]
_KEYS = ["", "$set", "__proto__", "a.b", "\0", "_id", "$oid", "\ud800", PRIVATE]


@dataclass(frozen=True)
class Hostile:
    """An event, and in words what it looks like and what is wrong with it."""

    event: Any
    service: str
    wrong: str


def make(seed: int, number: int) -> Hostile:
    """Make the event of a seed and a number."""
    chance = random.Random(f"{seed} {number}")
    maker = chance.choice(events.ALL)
    wrong = chance.choice(list(_WRONG))
    event = _WRONG[wrong](chance, maker)
    # As Lambda's runtime hands it over: read from JSON.
    return Hostile(json.loads(json.dumps(event)), _name(maker), wrong)


def _name(maker: events.EventMaker) -> str:
    return str(getattr(maker, "__name__"))


def _request(chance: random.Random) -> tuple[str, dict[str, Any]]:
    """Return an action, and a body that fits it."""
    action = chance.choice(list(_FIELDS))
    fields = {name: chance.choice(values) for name, values in _FIELDS[action].items()}
    return action, duplicate(_NAMES | fields)


def _event(
    chance: random.Random,
    maker: events.EventMaker,
    action: str,
    body: str,
    *,
    base64: bool = False,
    headers: dict[str, str] | None = None,
) -> Any:
    media_type = chance.choice(["application/json", "application/ejson"])
    accept = chance.choice(["application/json", "application/ejson", "*/*"])
    kept = {"apiKey": KEY, "Content-Type": media_type, "Accept": accept} | (headers or {})
    return maker("POST", f"/api/data/v1/action/{action}", kept, body, base64=base64)


def _nothing(chance: random.Random, maker: events.EventMaker) -> Any:
    action, body = _request(chance)
    return _event(chance, maker, action, json.dumps(body))


def _no_event(chance: random.Random, maker: events.EventMaker) -> Any:
    return chance.choice(_PLAIN + [{"version": "2.0"}, {"httpMethod": "GET"}, {"Records": [{}]}])


def _damaged_event(chance: random.Random, maker: events.EventMaker) -> Any:
    action, body = _request(chance)
    event = _event(chance, maker, action, json.dumps(body))
    return _damage(chance, event, _PLAIN, chance.choice([1, 1, 1, 2, 4]))


def _wrong_field(chance: random.Random, maker: events.EventMaker) -> Any:
    action, body = _request(chance)
    body[chance.choice(list(body))] = chance.choice(_IN_BODIES)
    return _event(chance, maker, action, json.dumps(body))


def _operator(chance: random.Random, maker: events.EventMaker) -> Any:
    action, body = _request(chance)
    name = chance.choice(list(body))
    operator = chance.choice(_OPERATORS)
    body[name] = chance.choice([operator, [operator], {"name": operator}, {**operator, "n": 1}])
    return _event(chance, maker, action, json.dumps(body))


def _damaged_body(chance: random.Random, maker: events.EventMaker) -> Any:
    action, body = _request(chance)
    body = _damage(chance, body, _IN_BODIES, chance.choice([1, 1, 2, 5]))
    return _event(chance, maker, action, json.dumps(body))


def _damaged_text(chance: random.Random, maker: events.EventMaker) -> Any:
    action, body = _request(chance)
    text = json.dumps(body)
    at = chance.randrange(len(text))
    literals = ["NaN", "-Infinity", "1e999", "9" * 5_000, "-", '"\\ud800"', '"\\x"', "\0", "\ufeff"]
    text = chance.choice(
        [
            text[:at],
            text[:at] + chance.choice('{}[]",:\\ \0\ud800') + text[at:],
            text.replace("1", chance.choice(literals)),
            chance.choice(["[", '{"a":']) * chance.choice([500, 5_000, 100_000]),
            f'{{"filter":{"[" * 900}1{"]" * 900},{text[1:]}',
            f"[{text}]",
            *literals,
        ]
    )
    return _event(chance, maker, action, text)


def _duplicate_keys(chance: random.Random, maker: events.EventMaker) -> Any:
    action, body = _request(chance)
    name = chance.choice(list(body))
    twice = f"{json.dumps(name)}: {json.dumps(chance.choice(_IN_BODIES))}"
    text = json.dumps(body)
    text = chance.choice([f"{{{twice}, {text[1:]}", f"{text[:-1]}, {twice}}}"])
    return _event(chance, maker, action, text)


def _bad_bytes(chance: random.Random, maker: events.EventMaker) -> Any:
    action, body = _request(chance)
    content = bytearray(json.dumps(body).encode())
    for _ in range(chance.choice([0, 1, 3])):
        content[chance.randrange(len(content))] = chance.randrange(256)
    text = base64.b64encode(bytes(content)).decode()
    at = chance.randrange(len(text))
    text = chance.choice([text, text, text[:at], text[:at] + "?é=" + text[at:], "====", "é"])
    return _event(chance, maker, action, text, base64=True)


def _bad_headers(chance: random.Random, maker: events.EventMaker) -> Any:
    action, body = _request(chance)
    names = ["apiKey", "api-key", "Authorization", "Accept", "Content-Type", "Origin"]
    values = ["", "\0", "\ud800", "é", "Bearer x", "Bearer ", "text/plain", "a,b;q=x", "x" * 9_000]
    values += [PRIVATE, "application/json; charset=latin-1", "null", "https://example.com"]
    headers = {name: chance.choice(values) for name in chance.sample(names, chance.choice([1, 2]))}
    return _event(chance, maker, action, json.dumps(body), headers=headers)


def _wrong_place(chance: random.Random, maker: events.EventMaker) -> Any:
    _, body = _request(chance)
    method = chance.choice(
        ["GET", "POST", "OPTIONS", "DELETE", "get", "", "\r\n", "\ud800", "TRACE"]
    )
    path = chance.choice(
        ["/api/health", "/api/data/v1/action/find", "/app/a/endpoint/data/v1/action/find", "/", ""]
    )
    path += chance.choice(["", "", "/", "/..", "%2e", "\0", "\ud800", "\u2028", "?a=b", "é"])
    headers = {"apiKey": KEY, "Content-Type": "application/json", "Origin": "https://example.com"}
    return maker(method, path, headers, json.dumps(body))


_WRONG: dict[str, Callable[[random.Random, events.EventMaker], Any]] = {
    "nothing": _nothing,
    "no event": _no_event,
    "the event": _damaged_event,
    "a field": _wrong_field,
    "an operator": _operator,
    "the body": _damaged_body,
    "the text": _damaged_text,
    "duplicate keys": _duplicate_keys,
    "the bytes": _bad_bytes,
    "the headers": _bad_headers,
    "the place": _wrong_place,
}


def _damage(chance: random.Random, value: Any, values: list[Any], times: int) -> Any:
    """Change, remove or add something, anywhere in a value."""
    for _ in range(times):
        containers = [node for node in walk(value) if node]
        if not containers:
            break
        container = chance.choice(containers)
        keys = list(container) if isinstance(container, dict) else list(range(len(container)))
        key = chance.choice(keys)
        how = chance.choice(["change", "change", "change", "remove", "add", "wrap"])
        if how == "remove":
            del container[key]
        elif how == "wrap":
            container[key] = chance.choice([[container[key]], {"$set": container[key]}])
        elif how == "add" and isinstance(container, dict):
            container[chance.choice(_KEYS[:-1] if values is _PLAIN else _KEYS)] = duplicate(
                chance.choice(values)
            )
        else:
            container[key] = duplicate(chance.choice(values))
    return value


def duplicate(value: Any) -> Any:
    """Copy a JSON value, however deep it is."""
    return json.loads(json.dumps(value))


def walk(value: Any) -> list[Any]:
    """Return a value's objects and arrays, itself included."""
    found, rest = [], [value]
    while rest:
        each = rest.pop()
        if isinstance(each, dict | list):
            found.append(each)
            rest += each.values() if isinstance(each, dict) else each
    return found
