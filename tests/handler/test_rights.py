"""Who may do what: attempts to get in, and what each gets.

The database `shop` has the collections `orders` and `secrets`; `other` has `things`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest

from scratch import events
from scratch.events import KEY, api_keys
from tests.support.handler import EVERY_ACTION, Container, Document, Reply

ISSUER = "https://issuer.example"
KEYS = {
    "all": "read write",
    "reader": "read",
    "writer": "write",
    "shop-reader": "read:shop",
    "orders-reader": "read:shop.orders",
    "orders-writer": "write:shop.orders",
    "mixed": "read:shop write:other.things",
    "nothing": "",
}
SECRET = "the secret"
type Attempt = tuple[str | None, str, str, Document, tuple[int, str]]
type Right = tuple[str, str, str, Document]

READS = ("findOne", "find", "aggregate")


@pytest.fixture(scope="module")
def databases(database_client: pymongo.MongoClient[Document]) -> Iterator[None]:
    """The databases that rights are about; names are fixed, for scopes name them."""
    database_client["shop"]["secrets"].insert_one({"_id": 1, "text": SECRET})
    yield
    for name in ("shop", "other"):
        database_client.drop_database(name)


@pytest.fixture
def service(container: Container, databases: None, monkeypatch: pytest.MonkeyPatch) -> Container:
    """The handler, with a key of each kind."""
    monkeypatch.setenv("API_KEYS", api_keys(KEYS))
    for name in ("JWT_ISSUER", "ALLOWED_OPERATORS", "DATA_SOURCE"):
        monkeypatch.delenv(name, raising=False)
    return container


def ask(
    service: Container,
    key: str | None,
    action: str,
    namespace: str,
    *,
    headers: dict[str, str] | None = None,
    **fields: Any,
) -> Reply:
    """Perform an action on <database>.<collection> with a key."""
    database, _, collection = namespace.partition(".")
    body = {"dataSource": "x", "database": database, "collection": collection, **fields}
    headers = (headers or {}) | ({} if key is None else {"apiKey": key})
    return service.call(
        "POST", f"/api/data/v1/action/{action}", headers=headers, body=json.dumps(body)
    )


def lookup(collection: Any, pipeline: list[Document] | None = None) -> Document:
    """Return a stage that joins a collection."""
    return {"$lookup": {"from": collection, "as": "x", "pipeline": pipeline or []}}


CODE = {"body": "function() { return 1 }", "args": [], "lang": "js"}
EMIT = {"eval": "function() { emit(this._id, 1) }", "this": "$$ROOT"}
REDUCE = {"eval": "function(key, values) { return 1 }", "data": {"k": "$_id", "v": 1}}
SECRETS = [lookup("secrets")]
ACCUMULATOR = {"init": "function() {}", "accumulate": "function() {}", "accumulateArgs": []}

# Key, action, namespace, further fields, what it gets: the status and the code.
NO_RULE, NOT_ALLOWED = (403, "NoMatchingRuleFound"), (403, "ArgumentsNotAllowed")
ATTEMPTS: dict[str, Attempt] = {
    "no key": (None, "find", "shop.orders", {}, (400, "InvalidParameter")),
    "a wrong key": ("wrong", "find", "shop.orders", {}, (401, "InvalidSession")),
    "a key in the body": (None, "find", "shop.orders", {"apiKey": KEY}, (400, "InvalidParameter")),
    "a key without words": ("nothing", "find", "shop.orders", {}, NO_RULE),
    "another database": ("shop-reader", "find", "other.things", {}, NO_RULE),
    "another collection": ("orders-reader", "find", "shop.secrets", {}, NO_RULE),
    "a collection with a longer name": ("orders-reader", "find", "shop.orders2", {}, NO_RULE),
    "a collection under it": ("orders-reader", "find", "shop.orders.old", {}, NO_RULE),
    "a database with a longer name": ("shop-reader", "find", "shop2.orders", {}, NO_RULE),
    "a database in another case": ("shop-reader", "find", "SHOP.orders", {}, NO_RULE),
    "words that do not add up": ("mixed", "insertOne", "shop.orders", {"document": {}}, NO_RULE),
    "a database of MongoDB's": ("reader", "find", "admin.system.users", {}, NO_RULE),
    "the log of writes": ("reader", "find", "local.oplog.rs", {}, NO_RULE),
    "the definition of a view": ("shop-reader", "find", "shop.system.views", {}, NO_RULE),
    "a view with code": ("all", "insertOne", "shop.system.views", {"document": {}}, NO_RULE),
    "$lookup": ("orders-reader", "aggregate", "shop.orders", {"pipeline": SECRETS}, NO_RULE),
    "$lookup, twice down": (
        "orders-reader",
        "aggregate",
        "shop.orders",
        {"pipeline": [lookup("orders", [lookup("orders", SECRETS)])]},
        NO_RULE,
    ),
    "$lookup in a $facet": (
        "orders-reader",
        "aggregate",
        "shop.orders",
        {"pipeline": [{"$facet": {"a": [], "b": SECRETS}}]},
        NO_RULE,
    ),
    "$lookup in a $unionWith": (
        "orders-reader",
        "aggregate",
        "shop.orders",
        {"pipeline": [{"$unionWith": {"coll": "orders", "pipeline": SECRETS}}]},
        NO_RULE,
    ),
    "$lookup into another database": (
        "shop-reader",
        "aggregate",
        "shop.orders",
        {"pipeline": [lookup({"db": "other", "coll": "things"})]},
        NO_RULE,
    ),
    "$lookup past the dot": (
        "orders-reader",
        "aggregate",
        "shop.orders",
        {"pipeline": [lookup({"db": "shop.orders", "coll": "x"})]},
        (400, "InvalidParameter"),
    ),
    "$lookup into no name": (
        "orders-reader",
        "aggregate",
        "shop.orders",
        {"pipeline": [lookup(["secrets"])]},
        (400, "InvalidParameter"),
    ),
    "$graphLookup": (
        "orders-reader",
        "aggregate",
        "shop.orders",
        {"pipeline": [{"$graphLookup": {"from": "secrets"}}]},
        NO_RULE,
    ),
    "$unionWith": (
        "orders-reader",
        "aggregate",
        "shop.orders",
        {"pipeline": [{"$unionWith": "secrets"}]},
        NO_RULE,
    ),
    "$unionWith, in full": (
        "orders-reader",
        "aggregate",
        "shop.orders",
        {"pipeline": [{"$unionWith": {"coll": "secrets"}}]},
        NO_RULE,
    ),
    "$out": ("all", "aggregate", "shop.orders", {"pipeline": [{"$out": "orders"}]}, NOT_ALLOWED),
    "$merge": (
        "all",
        "aggregate",
        "shop.orders",
        {"pipeline": [{"$merge": "orders"}]},
        NOT_ALLOWED,
    ),
    "$where": ("all", "find", "shop.orders", {"filter": {"$where": "true"}}, NOT_ALLOWED),
    "$where as code": (
        "all",
        "findOne",
        "shop.orders",
        {"filter": {"$where": {"$code": "true"}}},
        NOT_ALLOWED,
    ),
    "$where in an $or": (
        "all",
        "deleteMany",
        "shop.orders",
        {"filter": {"$or": [{"a": 1}, {"$and": [{"$where": "true"}]}]}},
        NOT_ALLOWED,
    ),
    "$where in a reference": (
        "all",
        "find",
        "shop.orders",
        {"filter": {"$or": [{"$ref": "a", "$id": 1, "$where": "true"}]}},
        NOT_ALLOWED,
    ),
    "$where in a regular expression": (
        "all",
        "find",
        "shop.orders",
        {"filter": {"$or": [{"$regex": "a", "$where": "true"}]}},
        NOT_ALLOWED,
    ),
    "$function in an $expr": (
        "all",
        "updateOne",
        "shop.orders",
        {"filter": {"$expr": {"$eq": [1, {"$function": CODE}]}}, "update": {"$set": {"a": 1}}},
        NOT_ALLOWED,
    ),
    "$function in an update": (
        "all",
        "updateMany",
        "shop.orders",
        {"filter": {}, "update": {"$set": {"a": {"$function": CODE}}}},
        NOT_ALLOWED,
    ),
    "$function in a projection": (
        "all",
        "findOne",
        "shop.orders",
        {"projection": {"a": {"$function": CODE}}},
        NOT_ALLOWED,
    ),
    "$function in a sort order": (
        "all",
        "find",
        "shop.orders",
        {"sort": {"a": {"$function": CODE}}},
        NOT_ALLOWED,
    ),
    "$function, three pipelines down": (
        "all",
        "aggregate",
        "shop.orders",
        {
            "pipeline": [
                {"$facet": {"a": [lookup("orders", [{"$set": {"a": [{"$function": CODE}]}}])]}}
            ]
        },
        NOT_ALLOWED,
    ),
    "$accumulator": (
        "all",
        "aggregate",
        "shop.orders",
        {"pipeline": [{"$group": {"_id": 1, "a": {"$accumulator": ACCUMULATOR}}}]},
        NOT_ALLOWED,
    ),
    "$_internalJsEmit in a projection": (
        "all",
        "find",
        "shop.orders",
        {"projection": {"a": {"$_internalJsEmit": EMIT}}},
        NOT_ALLOWED,
    ),
    "$_internalJsEmit in an $expr": (
        "all",
        "deleteMany",
        "shop.orders",
        {"filter": {"$expr": {"$eq": [[], {"$_internalJsEmit": EMIT}]}}},
        NOT_ALLOWED,
    ),
    "$_internalJsEmit in a stage": (
        "all",
        "aggregate",
        "shop.orders",
        {"pipeline": [{"$project": {"a": {"$_internalJsEmit": EMIT}}}]},
        NOT_ALLOWED,
    ),
    "$_internalJsReduce": (
        "all",
        "aggregate",
        "shop.orders",
        {"pipeline": [{"$group": {"_id": 1, "a": {"$_internalJsReduce": REDUCE}}}]},
        NOT_ALLOWED,
    ),
    "an internal operator that names a collection": (
        "orders-reader",
        "aggregate",
        "shop.orders",
        {"pipeline": [{"$set": {"a": {"$_internalOwningShard": {"ns": "shop.secrets"}}}}]},
        NOT_ALLOWED,
    ),
    "an internal operator of the future": (
        "all",
        "find",
        "shop.orders",
        {"filter": {"$or": [{"a": {"$_anything": 1}}]}},
        NOT_ALLOWED,
    ),
    "$currentOp": (
        "all",
        "aggregate",
        "shop.orders",
        {"pipeline": [{"$currentOp": {}}]},
        NOT_ALLOWED,
    ),
    "$collStats in a $lookup": (
        "all",
        "aggregate",
        "shop.orders",
        {"pipeline": [lookup("secrets", [{"$collStats": {"count": {}}}])]},
        NOT_ALLOWED,
    ),
    "$listSessions in a $facet": (
        "all",
        "aggregate",
        "shop.orders",
        {"pipeline": [{"$facet": {"a": [{"$listSessions": {}}]}}]},
        NOT_ALLOWED,
    ),
    "a stage in another case": (
        "all",
        "aggregate",
        "shop.orders",
        {"pipeline": [{"$OUT": "orders"}]},
        NOT_ALLOWED,
    ),
}
ATTEMPTS |= {
    f"{action} with a key that {'writes' if action in READS else 'reads'}": (
        "writer" if action in READS else "reader",
        action,
        "shop.orders",
        fields,
        NO_RULE,
    )
    for action, fields in EVERY_ACTION.items()
}


@pytest.mark.parametrize(
    ("key", "action", "namespace", "fields", "gets"), ATTEMPTS.values(), ids=list(ATTEMPTS)
)
def test_an_attempt_to_get_in_is_refused(
    service: Container,
    database_client: pymongo.MongoClient[Document],
    key: str | None,
    action: str,
    namespace: str,
    fields: Document,
    gets: tuple[int, str],
) -> None:
    """Each gets its status and error object, and nothing has happened."""
    reply = ask(service, key, action, namespace, **fields)

    assert (reply.status, reply.json["error_code"]) == gets
    assert SECRET not in reply.text
    assert database_client["shop"].list_collection_names() == ["secrets"]


# Key, action, namespace, further fields: what is not refused.
RIGHTS: dict[str, Right] = {
    "a database": ("shop-reader", "find", "shop.secrets", {}),
    "a collection": ("orders-reader", "find", "shop.orders", {}),
    "words add up": ("mixed", "deleteMany", "other.things", {"filter": {}}),
    "$lookup where it may": ("shop-reader", "aggregate", "shop.orders", {"pipeline": SECRETS}),
    "$lookup of no collection": (
        "orders-reader",
        "aggregate",
        "shop.orders",
        {
            "pipeline": [
                {"$lookup": {"as": "x", "pipeline": [{"$documents": [{"a": 1}]}, {"$limit": 1}]}}
            ]
        },
    ),
    "the name of an operator": ("reader", "find", "shop.orders", {"filter": {"a": "$where"}}),
    "a field that is called pipeline": (
        "reader",
        "aggregate",
        "shop.orders",
        {"pipeline": [{"$match": {"pipeline": [{"$eq": 1}]}}]},
    ),
    "an operator in a document": (
        "orders-writer",
        "insertOne",
        "shop.orders",
        {"document": {"a": {"$where": "x"}, "b": {"$lookup": 1}}},
    ),
}
RIGHTS |= {
    f"{action} with a key that {'reads' if action in READS else 'writes'}": (
        "reader" if action in READS else "writer",
        action,
        "shop.orders",
        fields,
    )
    for action, fields in EVERY_ACTION.items()
}


@pytest.mark.parametrize(
    ("key", "action", "namespace", "fields"), RIGHTS.values(), ids=list(RIGHTS)
)
def test_what_a_scope_holds_is_done(
    service: Container,
    database_client: pymongo.MongoClient[Document],
    key: str,
    action: str,
    namespace: str,
    fields: Document,
) -> None:
    """A right to all holds for each collection, and a database's for each of its own."""
    reply = ask(service, key, action, namespace, **fields)
    database_client["shop"]["orders"].drop()

    assert reply.status in (200, 201), reply.text


@pytest.mark.parametrize("exists", [True, False])
def test_a_refusal_reveals_nothing_about_the_data(service: Container, exists: bool) -> None:
    """Neither whether the collection exists, nor which rights there are: its name comes back."""
    collection = "secrets" if exists else "absent"
    reply = ask(service, "orders-reader", "find", f"shop.{collection}")

    assert reply.json["error"] == f"no rule exists for namespace 'shop.{collection}'"
    assert reply.status == 403


@pytest.mark.parametrize("stage", ["$out", "$merge"])
def test_an_allowed_stage_needs_the_right_to_its_target(
    service: Container,
    database_client: pymongo.MongoClient[Document],
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    """Reading somewhere and writing elsewhere takes both rights."""
    monkeypatch.setenv("ALLOWED_OPERATORS", "$where, $out,$merge")
    for target in ("copy", {"db": "other", "coll": "things"}):
        operand = {"into": target} if stage == "$merge" else target
        fields: Document = {"pipeline": [{stage: operand}]}
        reply = ask(service, "shop-reader", "aggregate", "shop.secrets", **fields)
        assert (reply.status, reply.json["error_code"]) == NO_RULE
    assert ask(service, "mixed", "aggregate", "shop.secrets", **fields).status == 200
    assert database_client["other"]["things"].find_one() == {"_id": 1, "text": SECRET}


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("find", {"filter": {"$where": "this._id == 1"}}),
        ("aggregate", {"pipeline": [{"$collStats": {"count": {}}}]}),
    ],
)
def test_what_is_allowed_is_done(
    service: Container, monkeypatch: pytest.MonkeyPatch, action: str, fields: Document
) -> None:
    """ALLOWED_OPERATORS names operators and stages."""
    monkeypatch.setenv("ALLOWED_OPERATORS", "$collStats,$where")
    reply = ask(service, "shop-reader", action, "shop.secrets", **fields)

    assert (reply.status, len(reply.json["documents"])) == (200, 1)


def test_an_internal_operator_cannot_be_allowed(
    service: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ALLOWED_OPERATORS is for documented operators only."""
    monkeypatch.setenv("ALLOWED_OPERATORS", "$_internalJsEmit")
    projection = {"a": {"$_internalJsEmit": EMIT}}
    reply = ask(service, "all", "find", "shop.secrets", projection=projection)

    assert (reply.status, reply.json["error_code"]) == NOT_ALLOWED


def with_token(claims: Document, *, action: str = "find", **place: Any) -> Document:
    """Return an event with claims where API Gateway puts those of a token that it has verified."""
    body = {"dataSource": "x", "database": "shop", "collection": "orders", **EVERY_ACTION[action]}
    path = f"/api/data/v1/action/{action}"
    event = events.http_api("POST", path, {"Authorization": "Bearer eyJ"}, json.dumps(body))
    event["requestContext"]["authorizer"] = {"jwt": {"claims": claims, "scopes": None}}
    return event


GOOD = {"iss": ISSUER, "sub": "somebody", "scope": "openid read:shop profile"}
CLAIMS: dict[str, tuple[Document, str, str | None, int]] = {
    "the right scope": (GOOD, "find", ISSUER, 200),
    "a scope of another right": (GOOD, "insertOne", ISSUER, 403),
    "a scope of another API": (GOOD | {"scope": "read:mail orders.read"}, "find", ISSUER, 403),
    "no scope": ({"iss": ISSUER}, "find", ISSUER, 403),
    "a scope that is no text": (GOOD | {"scope": ["read"]}, "find", ISSUER, 403),
    "another issuer": (GOOD | {"iss": "https://other.example"}, "find", ISSUER, 401),
    "no issuer": ({"scope": "read"}, "find", ISSUER, 401),
    "no authorizer is configured": (GOOD, "find", None, 401),
    "no authorizer and no issuer": (GOOD | {"iss": ""}, "find", "", 401),
}


@pytest.mark.parametrize(
    ("claims", "action", "issuer", "status"), CLAIMS.values(), ids=list(CLAIMS)
)
def test_a_verified_token_has_the_rights_of_its_scope(
    service: Container,
    monkeypatch: pytest.MonkeyPatch,
    claims: Document,
    action: str,
    issuer: str | None,
    status: int,
) -> None:
    """If API Gateway has verified it, and the configured issuer has given it."""
    if issuer is not None:
        monkeypatch.setenv("JWT_ISSUER", issuer)

    assert service.invoke(with_token(claims, action=action)).status == status


def test_a_key_beside_a_token_adds_nothing(
    service: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The required token is the one that counts."""
    monkeypatch.setenv("JWT_ISSUER", ISSUER)
    event = with_token(GOOD, action="insertOne")
    event["headers"]["apikey"] = "all"

    assert service.invoke(event).status == 403


def forged(place: str) -> Document:
    """Return an event that has claims in a place where API Gateway writes none."""
    event = with_token(GOOD)
    authorizer = event["requestContext"].pop("authorizer")
    body, headers = event["body"], event["headers"]
    if place == "headers":
        text = json.dumps(authorizer)
        event["headers"] |= {"x-amzn-authorizer": text, "requestcontext": text, "iss": ISSUER}
    elif place == "body":
        event["body"] = json.dumps(json.loads(body) | {"requestContext": authorizer} | GOOD)
    elif place == "event":
        event["authorizer"] = authorizer
    elif place == "authorizer.claims":
        event["requestContext"]["authorizer"] = authorizer["jwt"]
    elif place == "authorizer.lambda":
        event["requestContext"]["authorizer"] = {"lambda": authorizer["jwt"]}
    else:
        event = events.rest_api("POST", event["rawPath"], headers, body)
        event["requestContext"]["authorizer"] = authorizer
    return event


@pytest.mark.parametrize(
    "place",
    ["headers", "body", "event", "authorizer.claims", "authorizer.lambda", "rest api"],
)
def test_claims_in_another_place_count_for_nothing(
    service: Container, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Only an HTTP API's JWT authorizer is believed."""
    monkeypatch.setenv("JWT_ISSUER", ISSUER)

    assert service.invoke(forged(place)).status == 401


@pytest.mark.parametrize(
    ("wanted", "status"), [(None, 200), ("x", 200), ("X", 400), ("Cluster0", 400)]
)
def test_the_data_source_is_the_configured_one(
    service: Container, monkeypatch: pytest.MonkeyPatch, wanted: str | None, status: int
) -> None:
    """Without a configured name, requests may name any.

    400 is the reference's: "the requested data source is disabled or does not exist".
    """
    if wanted:
        monkeypatch.setenv("DATA_SOURCE", wanted)
    reply = ask(service, "reader", "find", "shop.orders")

    assert reply.status == status
    if status == 400:
        assert reply.json["error_code"] == "ServiceNotFound"
        assert reply.json["error"] == "service not found: 'x'"
