"""HTTP front of a MongoDB database on AWS Lambda: a health route, and the Data API's ten actions.

Configured by environment variables:
- MONGODB_URI_PARAMETER: name of the SSM SecureString parameter that holds the connection string;
  without it, MONGODB_URI: the connection string itself.
- API_KEYS: a JSON object that names each API key by its sha256 (lower-case hexadecimal), with its
  scope: words separated by spaces, such as `read`, `write:shop` (a database), `read:shop.orders`
  (a collection). Without it no key opens anything.
- JWT_ISSUER: whose tokens have the rights of their claim `scope`, in the same words, if API Gateway
  has verified them. Without it: nobody's.
- DATA_SOURCE: the one dataSource that requests may name. Without it they may name any.
- ALLOWED_OPERATORS: operators and stages that are refused otherwise, separated by commas.
- CORS_ORIGINS: origins whose pages may read the answers, separated by commas. Without it: none.

Outside facts name their source: "reference" is MongoDB's of the Atlas Data API v1, with the chapter
on the Data API in the App Services manual; "AWS" is the developer guide of the service named.
Error codes that the reference lacks are those of App Services' own client libraries.
"""

import gc

gc.disable()  # what is imported stays: looking through it meanwhile takes a tenth of a cold start

import base64
import hashlib
import hmac
import json
import logging
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache, partial
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol

import pymongo
from bson import json_util
from bson import Binary, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import ConfigurationError, ConnectionFailure, OperationFailure, PyMongoError
from pymongo.results import DeleteResult, UpdateResult

gc.freeze()  # nor is it looked through later
gc.enable()

type Document = dict[str, Any]
type Run = Callable[[Collection[Document], Document], Document]

# AWS Lambda: "Response payload size exceeded maximum allowed payload size (6291556 bytes)"; AWS
# Elastic Load Balancing: 1 MB. The KB less is for what surrounds the body.
_LAMBDA_LIMIT_BYTES = 6_291_556 - 1_024
_LOAD_BALANCER_LIMIT_BYTES = 1_000_000 - 1_024

_MARGIN_S = 1.0  # of the invocation's time; pymongo, in search of a server, is up to 0.5 s late
_SELECTION_S = 5.0  # at most, to find a server where none is known to be up
_SELECTION_AGAIN_S = 1.0  # the same, where the request before has found none
_CONNECT_MS = 3_000
_MAX_OBJECTS = 500_000
_RETRY_AFTER_S = 1  # a search for a server lies behind the caller already
_CREDENTIALS_REFUSED = (18, 8000)  # MongoDB's code AuthenticationFailed, and Atlas's own for it
_INTERRUPTED = 11601  # MongoDB's, of what an administrator or, within JavaScript, time has ended
_UNAUTHORIZED = 13  # MongoDB's, of a user that lacks a privilege

_log = logging.getLogger(__name__)
_client: MongoClient[Document] | None = None  # the container's, made at the first request
_found_none = False  # whether the last search for a server was in vain


class Context(Protocol):
    """What is used of Lambda's context object."""

    aws_request_id: str
    function_version: str
    invoked_function_arn: str | None  # ends with the qualifier that was called, if there was one

    def get_remaining_time_in_millis(self) -> int: ...


class Request(NamedTuple):
    """An HTTP request, whichever service brought it; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    is_base64: bool
    from_load_balancer: bool
    in_multi_value_headers: bool
    claims: Document  # of the token that API Gateway has verified; empty without one
    log: Document  # what the log's line tells besides; filled on the way


class Answer(NamedTuple):
    """An HTTP answer, whichever service takes it."""

    status: int
    body: str
    media_type: str = "application/json"
    headers: dict[str, str] = {}
    error_code: str | None = None


class Refusal(Exception):
    """An answer that is an error object (reference: errors)."""

    def __init__(
        self, status: int, code: str, message: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        link = "https://www.mongodb.com/docs/api/doc/atlas-data-api-v1/"
        body = json.dumps({"error": message, "error_code": code, "link": link})
        self.answer = Answer(status, body, headers=headers or {}, error_code=code)


def lambda_handler(event: Any, context: Context) -> Document:
    """Answer one request, brought by API Gateway, a function URL or a load balancer."""
    request, began_s = None, time.monotonic()
    try:
        request = read_event(event)
        _print(f"Method: {_one_line(request.method)}, Path: {_one_line(request.path)}")
        answer = answer_to(request, context)
    except Refusal as refusal:
        answer = refusal.answer
    except Exception:
        _log.exception("unexpected error")
        answer = Refusal(500, "InternalServerError", "internal server error").answer
    _print(log_line(request, answer, context, time.monotonic() - began_s))
    return proxy_response(request, answer)


def _print(line: str) -> None:
    # At once: `print` writes the line's end by itself, and Lambda flushes after each write.
    sys.stdout.write(f"{line}\n")


def log_line(request: Request | None, answer: Answer, context: Context, took_s: float) -> str:
    """Tell in a line of JSON how a request was answered; no documents, no keys.

    Alarms count by it, and the pipeline compares how versions answer.
    """
    # arn:aws:lambda:<region>:<account>:function:<name>[:<qualifier>]
    arn = (context.invoked_function_arn or "").split(":")
    line = {
        "requestId": context.aws_request_id,
        "method": request and request.method,
        "path": request and request.path,
        "status": answer.status,
        "errorCode": answer.error_code,
        "durationMs": round(took_s * 1_000, 1),
        "functionVersion": context.function_version,
        "qualifier": arn[7] if len(arn) > 7 else None,
        "databaseFailed": answer.status == 503,  # which nothing else is answered with
        **(request.log if request else {}),
    }
    return json.dumps(line)


def answer_to(request: Request, context: Context) -> Answer:
    """Let the request's route answer it."""
    route = ROUTES.get(request.path)
    if route is None:
        raise Refusal(404, "NotFound", "no such endpoint")
    if request.method == "OPTIONS" and "Access-Control-Allow-Origin" in cors_headers(request):
        return Answer(204, "", headers={"Access-Control-Allow-Methods": route.method, **_PREFLIGHT})
    if request.method != route.method:
        allow = {"Allow": route.method}
        raise Refusal(405, "MethodNotAllowed", f"this endpoint takes {route.method}", allow)
    return route.respond(request, context)


_PREFLIGHT = {
    "Access-Control-Allow-Headers": "accept, api-key, apikey, authorization, content-type",
    "Access-Control-Max-Age": "3600",
}


def cors_headers(request: Request | None) -> dict[str, str]:
    """Return the headers that let a page of a configured origin read an answer (Fetch standard)."""
    origins = _listed("CORS_ORIGINS")
    if not origins:
        return {}
    origin = request.headers.get("origin", "") if request else ""
    return {"Vary": "Origin"} | (
        {"Access-Control-Allow-Origin": origin} if origin in origins else {}
    )


# The variables stay as they are while a container lives, and os.environ takes its time.
_setting = cache(os.environ.get)


@cache
def _listed(variable: str) -> frozenset[str]:
    return frozenset(item.strip() for item in os.environ.get(variable, "").split(",")) - {""}


# ---- Events ----


def read_event(event: Any) -> Request:
    """Read an event that carries HTTP.

    AWS API Gateway: payload format version 2.0 (HTTP API; a function URL's is the same) and 1.0
    (REST API, HTTP API). AWS Elastic Load Balancing: like 1.0, with `elb` in the request context.
    """
    event = _dict(event)
    context = _dict(event.get("requestContext"))
    if event.get("version") == "2.0":
        method, path = _dict(context.get("http")).get("method"), event.get("rawPath")
    else:
        method, path = event.get("httpMethod"), event.get("path")
    if not isinstance(method, str) or not isinstance(path, str):
        message = "this is no HTTP event of API Gateway, a function URL or a load balancer"
        raise Refusal(400, "InvalidParameter", message)
    # An HTTP API's path begins with the stage, unless that is $default or a custom domain stands
    # for it. A REST API's has none.
    stage = f"/{context.get('stage')}"
    if path not in ROUTES and path.startswith(f"{stage}/") and "version" in event:
        path = path.removeprefix(stage)
    multi_value = event.get("multiValueHeaders")
    headers = _dict(event.get("headers")) or {
        name: ",".join(map(str, values))
        for name, values in _dict(multi_value).items()
        if isinstance(values, list)
    }
    return Request(
        method,
        path,
        {name.lower(): str(value) for name, value in headers.items()},
        event.get("body"),
        event.get("isBase64Encoded") is True,
        from_load_balancer="elb" in context,
        in_multi_value_headers="elb" in context and isinstance(multi_value, dict),
        claims=_verified_claims(context) if event.get("version") == "2.0" else {},
        log={},
    )


def _verified_claims(context: Document) -> Document:
    # AWS API Gateway: what a JWT authorizer adds to the request context of an HTTP API.
    jwt = _dict(_dict(context.get("authorizer")).get("jwt"))
    return _dict(jwt.get("claims"))


def proxy_response(request: Request | None, answer: Answer) -> Document:
    """Give the answer the form that the request's service takes.

    AWS Elastic Load Balancing: a status description, and multi-value headers if it sends them.
    """
    headers = {"Content-Type": answer.media_type, **answer.headers, **cors_headers(request)}
    response: Document = {"statusCode": answer.status, "body": answer.body}
    response["isBase64Encoded"] = False
    if request and request.from_load_balancer:
        response["statusDescription"] = f"{answer.status} {HTTPStatus(answer.status).phrase}"
    if request and request.in_multi_value_headers:
        response["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
    else:
        response["headers"] = headers
    return response


def _dict(value: Any) -> Document:
    return value if isinstance(value, dict) else {}


def _one_line(text: str) -> str:
    # A line break would begin a line of the caller's own in the log.
    return ascii(text)[1:-1]


# ---- Routes ----


def health(_request: Request, context: Context) -> Answer:
    """Tell whether the database answers, and which versions are at work."""
    status, word, server_version, headers = 200, "ok", None, {}
    try:
        with database(context) as client:
            client.admin.command("ping")
            server_version = client.server_info()["version"]
    except Refusal as refusal:
        status, word, headers = 503, "unavailable", refusal.answer.headers
    versions = {"serverVersion": server_version, "functionVersion": context.function_version}
    body = json.dumps({"status": word, "database": word, **versions})
    return Answer(status, body, headers=headers)


def act(action: "Action", request: Request, context: Context) -> Answer:
    """Let a caller who has the rights perform an action."""
    caller = identify(request)
    request.log["caller"] = caller.name
    fields = read_fields(read_body(request), action.fields)
    check_data_source(fields["dataSource"])
    caller.require(action.right, fields["database"], fields["collection"])
    check_operators(fields, caller)
    media_type = choose_format(request.headers.get("accept", ""))
    limit = _LOAD_BALANCER_LIMIT_BYTES if request.from_load_balancer else _LAMBDA_LIMIT_BYTES
    with database(context) as client:
        try:
            collection = client[fields["database"]][fields["collection"]]
            result = action.run(collection, fields)
            status = next(status for status, names in action.answers.items() if names == {*result})
            return Answer(status, write_result(result, _WRITERS[media_type], limit), media_type)
        except (BSONError, TypeError, ValueError, OverflowError, RecursionError) as error:
            # pymongo's, of a value that BSON cannot hold, or of an update that is none.
            raise Refusal(400, "InvalidParameter", str(error)) from error


class Field(NamedTuple):
    """A field of a request's body, its kind in words; without a default it is required."""

    kind: str
    default: Any = None


class Action(NamedTuple):
    """What an action takes, which right it needs, what it answers by status, and what it does."""

    fields: dict[str, Field]
    right: str
    answers: dict[int, set[str]]
    run: Run


def _find(collection: Collection[Document], fields: Document) -> Document:
    cursor = collection.find(
        fields["filter"],
        fields["projection"] or None,
        sort=fields["sort"] or None,
        skip=fields["skip"],
        limit=fields["limit"],
        batch_size=fields["limit"],  # one round trip, where one reply of MongoDB's holds them all
    )
    return {"documents": cursor}


def _update(method: Callable[..., UpdateResult], change: str) -> Run:
    def run(collection: Collection[Document], fields: Document) -> Document:
        result = method(collection, fields["filter"], fields[change], fields["upsert"])
        counts = {"matchedCount": result.matched_count, "modifiedCount": result.modified_count}
        return counts | ({"upsertedId": result.upserted_id} if result.did_upsert else {})

    return run


def _delete(method: Callable[..., DeleteResult]) -> Run:
    return lambda c, f: {"deletedCount": method(c, f["filter"]).deleted_count}


_OBJECT, _OPTIONAL_OBJECT = Field("an object"), Field("an object", {})
_NUMBER = "an integer from 0 to 2,147,483,647"
_TARGET = {name: Field("a non-empty string") for name in ("dataSource", "database", "collection")}
_FIND_ONE = {**_TARGET, "filter": _OPTIONAL_OBJECT, "projection": _OPTIONAL_OBJECT}
_PAGE = {"limit": Field(_NUMBER, 1_000), "skip": Field(_NUMBER, 0)}
_MATCH = {**_TARGET, "filter": _OBJECT}
_UPDATE = {**_MATCH, "update": _OBJECT, "upsert": Field("a boolean", False)}
_REPLACE = {**_MATCH, "replacement": _OBJECT, "upsert": Field("a boolean", False)}
_COUNTS = {"matchedCount", "modifiedCount"}
_UPDATED = {200: _COUNTS, 201: _COUNTS | {"upsertedId"}}
_DELETED = {200: {"deletedCount"}}

# Reference: the endpoints, their fields and defaults; c is the collection, f are the fields.
ACTIONS = {
    "findOne": Action(
        _FIND_ONE,
        "read",
        {200: {"document"}},
        lambda c, f: {"document": c.find_one(f["filter"], f["projection"] or None)},
    ),
    "find": Action(
        {**_FIND_ONE, "sort": _OPTIONAL_OBJECT, **_PAGE}, "read", {200: {"documents"}}, _find
    ),
    "insertOne": Action(
        {**_TARGET, "document": _OBJECT},
        "write",
        {201: {"insertedId"}},
        lambda c, f: {"insertedId": c.insert_one(f["document"]).inserted_id},
    ),
    "insertMany": Action(
        {**_TARGET, "documents": Field("an array of 1 to 100,000 objects")},
        "write",
        {201: {"insertedIds"}},
        lambda c, f: {"insertedIds": c.insert_many(f["documents"]).inserted_ids},
    ),
    "updateOne": Action(_UPDATE, "write", _UPDATED, _update(Collection.update_one, "update")),
    "updateMany": Action(_UPDATE, "write", _UPDATED, _update(Collection.update_many, "update")),
    "replaceOne": Action(
        _REPLACE, "write", _UPDATED, _update(Collection.replace_one, "replacement")
    ),
    "deleteOne": Action(_MATCH, "write", _DELETED, _delete(Collection.delete_one)),
    "deleteMany": Action(_MATCH, "write", _DELETED, _delete(Collection.delete_many)),
    "aggregate": Action(
        {**_TARGET, "pipeline": Field("an array of objects")},
        "read",
        {200: {"documents"}},
        lambda c, f: {"documents": c.aggregate(f["pipeline"])},
    ),
}


# ---- The description ----


def openapi(_request: Request, _context: Context) -> Answer:
    """Describe every route in OpenAPI 3.1, out of the tables that route and check."""
    description = (
        "A MongoDB database over HTTP, in the words of the Atlas Data API. A write that is "
        "answered with 503 may have been done nevertheless."
    )
    keys = {name: {"type": "apiKey", "in": "header", "name": name} for name in _KEY_HEADERS}
    schemes = {**keys, "token": {"type": "http", "scheme": "bearer"}}
    errors = {status: _response(status, {"application/json": _ERROR}) for status in _ERRORS}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "mongo-client", "version": "v1", "description": description},
        "paths": {
            path: {route.method.lower(): _operation(path, route)} for path, route in ROUTES.items()
        },
        "components": {"securitySchemes": schemes, "responses": errors},
    }
    return Answer(200, json.dumps(document))


def _operation(path: str, route: "Route") -> Document:
    action = route.action
    responses = {
        str(status): {"$ref": f"#/components/responses/{status}"}
        for status in (_ERRORS if action else (500,))
    }
    for status, properties in route.answers.items():
        responses[str(status)] = _response(status, {"application/json": _object(properties)})
    operation: Document = {"operationId": path.rpartition("/")[2], "responses": responses}
    if action is None:
        return operation
    for status, names in action.answers.items():
        schemas = {
            media_type: _object({name: _RESULTS[name][n] for name in sorted(names)})
            for n, media_type in enumerate(_WRITERS)
        }
        responses[str(status)] = _response(status, schemas)
    body = _object({name: _schema(field) for name, field in action.fields.items()})
    body["required"] = [name for name, field in action.fields.items() if field.default is None]
    return operation | {
        "summary": f"needs the right to {action.right} the collection",
        "security": [{name: []} for name in (*_KEY_HEADERS, "token")],
        "requestBody": {"required": True, "content": dict.fromkeys(_WRITERS, {"schema": body})},
    }


def _response(status: int, schemas: Document) -> Document:
    content = {media_type: {"schema": schema} for media_type, schema in schemas.items()}
    retry_after = {"required": True, "schema": {"type": "integer"}}
    headers = {"Retry-After": retry_after} if status == 503 else {}
    return {"description": HTTPStatus(status).phrase, "headers": headers, "content": content}


def _object(properties: Document) -> Document:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _schema(field: Field) -> Document:
    _, schema = _KINDS[field.kind]
    if field.default is None:
        return schema
    return {**schema, "type": [schema["type"], "null"], "default": field.default}


_ERRORS = (400, 401, 403, 404, 413, 415, 500, 503)
_ERROR = _object(dict.fromkeys(("error", "error_code", "link"), {"type": "string"}))
_DOCUMENTS = {"type": "array", "items": {"type": "object"}}
# Each field of an answer in plain JSON, and in Extended JSON, to which numbers are objects.
_RESULTS: dict[str, tuple[Document, Document]] = {
    "document": ({"type": ["object", "null"]}, {"type": ["object", "null"]}),
    "documents": (_DOCUMENTS, _DOCUMENTS),
    "insertedIds": ({"type": "array"}, {"type": "array"}),
    **dict.fromkeys(("insertedId", "upsertedId"), ({}, {})),
    **dict.fromkeys((*_COUNTS, "deletedCount"), ({"type": "integer"}, {"type": "object"})),
}
_HEALTH: Document = dict.fromkeys(("status", "database", "functionVersion"), {"type": "string"})
_HEALTH["serverVersion"] = {"type": ["string", "null"]}


class Route(NamedTuple):
    """The method that a path takes, what answers it, and with what: properties by status."""

    method: str
    respond: Callable[[Request, Context], Answer]
    answers: dict[int, Document]
    action: Action | None = None


ROUTES = {
    "/api/health": Route("GET", health, {200: _HEALTH, 503: _HEALTH}),
    "/api/openapi.json": Route("GET", openapi, {200: {"openapi": {"type": "string"}}}),
    **{
        f"/api/data/v1/action/{name}": Route("POST", partial(act, action), {}, action)
        for name, action in ACTIONS.items()
    },
}


# ---- Who may do what ----


class Caller(NamedTuple):
    """Who sent a request: what the log calls him, and the words of his scope."""

    name: str
    scope: frozenset[str]

    def require(self, right: str, database: str, collection: str) -> None:
        """Raise Refusal unless the scope holds the right to a collection.

        What is MongoDB's own is opened only by a word that names it: such a database, or a
        collection `system.…` (views and JavaScript are stored there).
        """
        words = {f"{right}:{database}.{collection}"}
        if not collection.startswith("system."):
            words.add(f"{right}:{database}")
            if database not in ("admin", "config", "local"):
                words.add(right)
        if "." in database:  # which could pass for another one's collection
            raise Refusal(400, "InvalidParameter", "a database's name has no dot")
        if words.isdisjoint(self.scope):
            message = f"no rule exists for namespace '{database}.{collection}'"
            raise Refusal(403, "NoMatchingRuleFound", message)


def identify(request: Request) -> Caller:
    """Return whose API key the request carries, or raise Refusal (reference: authentication).

    Or whose token of JWT_ISSUER's API Gateway has verified: a key beside it counts for nothing.
    """
    claims = request.claims
    if claims.get("iss") and claims["iss"] == _setting("JWT_ISSUER"):
        return Caller("token", frozenset(str(claims.get("scope", "")).split()))
    headers = request.headers
    keys = {headers[name.lower()] for name in _KEY_HEADERS if name.lower() in headers}
    authorization = headers.get("authorization")
    if not keys and authorization is None:
        message = (
            "must specify some form of authentication (either email+password, api-key, or jwt) "
            "in the request header or body"
        )
        raise Refusal(400, "MissingParameter", message)
    # Reference: another scheme than Bearer is ignored. So a request that AWS wants signed, which
    # takes this header, can carry a key all the same.
    tokens = {authorization} if (authorization or "").lower().startswith("bearer ") else set()
    if len(keys | tokens) > 1:
        raise Refusal(400, "InvalidParameter", "more than one authentication method was specified")
    if not any(keys | tokens):
        raise Refusal(400, "InvalidParameter", "no authentication methods were specified")
    # A token that nothing has verified names nobody, as a wrong key does.
    caller = None if tokens else key_holder(keys.pop())
    if caller is None:
        raise Refusal(401, "InvalidSession", "invalid session: error finding user for endpoint")
    return caller


def key_holder(key: str) -> Caller | None:
    """Compare a key with every accepted one, in a time that tells nothing about them."""
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
    # A list, for it goes through all of them.
    found = [scope for one, scope in api_keys().items() if hmac.compare_digest(digest, one)]
    return Caller(digest[:8], found[0]) if found else None


@cache
def api_keys() -> dict[str, frozenset[str]]:
    """Return the scope of each key, by its hash; raise ValueError if API_KEYS is malformed."""
    try:
        keys = json.loads(os.environ.get("API_KEYS") or "{}", object_pairs_hook=_without_doubles)
        scopes = {one: frozenset(scope.split()) for one, scope in keys.items()}
        words = [word for scope in scopes.values() for word in scope]
        if all(map(_HASH.fullmatch, keys)) and all(map(_WORD.fullmatch, words)):
            return scopes
    except (ValueError, AttributeError):
        pass  # what is wrong may be a key itself, so no detail is told
    raise ValueError(
        "API_KEYS must be a JSON object from the sha256 of each key (64 lower-case hexadecimal "
        "digits) to its scope (words such as read, write:shop, read:shop.orders)"
    )


_KEY_HEADERS = ("apiKey", "api-key")
_HASH = re.compile("[0-9a-f]{64}")
_WORD = re.compile(r"(read|write)(:[^\s.]+(\.\S+)?)?")


def check_data_source(name: str) -> None:
    """Raise Refusal unless a request may name this dataSource."""
    wanted = _setting("DATA_SOURCE")
    if wanted is not None and name != wanted:
        raise Refusal(404, "ServiceNotFound", f"service not found: '{name}'")


def check_operators(fields: Document, caller: Caller) -> None:
    """Raise Refusal for what runs code, leaves the collection unasked, or looks at the server.

    A name counts wherever it stands, even where MongoDB would take it for a value.
    """
    allowed = _listed("ALLOWED_OPERATORS")
    for name, operand in _names(list(map(fields.get, _EVALUATED))):
        # MongoDB's own, for use between its servers. Some run JavaScript ($_internalJsEmit), some
        # reach other collections, and each version brings new ones.
        internal = name.startswith("$_")
        if internal or (name in _REFUSED and name not in allowed):
            raise Refusal(403, "ArgumentsNotAllowed", f"{name} is not allowed")
        if name in _FOREIGN:
            right, where = _FOREIGN[name]
            target = _dict(operand).get(where) if where else operand
            database = fields["database"]
            if isinstance(target, dict):
                database, target = target.get("db", database), target.get("coll")
            if target is None:
                continue  # $documents take the collection's place, or MongoDB refuses it
            if not isinstance(target, str) or not isinstance(database, str):
                raise Refusal(400, "InvalidParameter", f"{name} must name a collection")
            caller.require(right, database, target)
    for stage in _stages(fields.get("pipeline", [])):
        if stage not in _STAGES and stage not in allowed:
            raise Refusal(403, "ArgumentsNotAllowed", f"the stage {stage} is not allowed")


def _names(value: Any) -> Iterator[tuple[str, Any]]:
    # Every name in a value, with what it stands for.
    todo = [value]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            yield from value.items()
            todo.extend(value.values())
        elif isinstance(value, list):
            todo.extend(value)


def _stages(pipeline: list[Any]) -> Iterator[str]:
    # The name of every stage, of the pipelines in it as well.
    todo = [pipeline]
    while todo:
        for stage in todo.pop():
            for name, operand in _dict(stage).items():
                yield name
                inner: list[Any] = [_dict(operand).get("pipeline")]
                if name == "$facet":
                    inner = list(_dict(operand).values())
                if name in ("$facet", "$lookup", "$unionWith"):
                    todo.extend(each for each in inner if isinstance(each, list))


_EVALUATED = ("filter", "projection", "sort", "update", "pipeline")
_REFUSED = {"$where", "$function", "$accumulator", "$out", "$merge"}
# What names another collection: the right that this needs, and where in its operand the name is.
_FOREIGN: dict[str, tuple[str, str | None]] = {
    "$lookup": ("read", "from"),
    "$graphLookup": ("read", "from"),
    "$unionWith": ("read", None),
    "$out": ("write", None),
    "$merge": ("write", "into"),
}
# A list of what is allowed: new versions of MongoDB bring new stages, some of which look at the
# server. $out and $merge are refused above.
_STAGES = set(
    "$addFields $bucket $bucketAuto $count $densify $documents $facet $fill $geoNear $graphLookup "
    "$group $limit $lookup $match $merge $out $project $redact $replaceRoot $replaceWith $sample "
    "$search $searchMeta $set $setWindowFields $skip $sort $sortByCount $unionWith $unset $unwind "
    "$vectorSearch".split()
)


# ---- What comes in ----


def read_body(request: Request) -> Document:
    """Read the body, as JSON or Extended JSON under either content type."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in ("", *_WRITERS):
        message = f"the Content-Type must be one of {', '.join(_WRITERS)}"
        raise Refusal(415, "UnsupportedMediaType", message)
    if not isinstance(request.body, str) or not request.body:
        raise Refusal(400, "MissingParameter", "the request has no body")
    try:
        text = base64.b64decode(request.body).decode() if request.is_base64 else request.body
        # Six megabytes, Lambda's own limit, can hold enough of them to fill the memory.
        if text.count("{") + text.count("[") > _MAX_OBJECTS:
            message = f"the request's body has more than {_MAX_OBJECTS:,} objects and arrays"
            raise Refusal(413, "InvalidParameter", message)
        body = _READER.decode(text)
    except Refusal:
        raise
    except Exception as error:  # json_util does not say what it raises for malformed Extended JSON
        message = f"the request's body is not valid JSON: {str(error)[:200]}"
        raise Refusal(400, "InvalidParameter", message) from error
    if not isinstance(body, dict):
        raise Refusal(400, "InvalidParameter", "the request's body must be an object")
    return body


def _from_extended(pairs: list[tuple[str, Any]]) -> Any:
    value = _without_doubles(pairs)
    # To MongoDB $regex is an operator, and a reference an object like others. json_util would make
    # values of them, in which the names beside could not be seen.
    if "$regex" in value or "$ref" in value:
        return value
    pointer = value.get("$dbPointer")
    if isinstance(pointer, dict) and pointer.keys() == {"$ref", "$id"}:
        return pointer
    return json_util.object_hook(value, _EXTENDED)


def _without_doubles(pairs: list[tuple[str, Any]]) -> Document:
    # Readers differ in which of two equal names they take, and so could be deceived about it.
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("an object has the same name twice")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


_EXTENDED = json_util.RELAXED_JSON_OPTIONS.with_options(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
_READER = json.JSONDecoder(object_pairs_hook=_from_extended, parse_constant=_refuse_constant)


def read_fields(body: Document, fields: dict[str, Field]) -> Document:
    """Take an action's fields out of the body; null counts as absent."""
    values = {}
    for name, field in fields.items():
        value = body.get(name)
        if value is None:
            if field.default is None:
                raise Refusal(400, "MissingParameter", f"missing required field: {name}")
            value = field.default
        elif not _KINDS[field.kind][0](value):
            raise Refusal(400, "InvalidParameter", f"{name} must be {field.kind}")
        values[name] = value
    return values


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


# Which values a field takes: the check, and its JSON Schema.
_KINDS: dict[str, tuple[Callable[[Any], bool], Document]] = {
    "a boolean": (lambda value: isinstance(value, bool), {"type": "boolean"}),
    "a non-empty string": (
        lambda value: isinstance(value, str) and value != "",
        {"type": "string", "minLength": 1},
    ),
    _NUMBER: (
        lambda value: type(value) in (int, Int64) and 0 <= value < 2**31,
        {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    ),
    "an array of objects": (_are_objects, _DOCUMENTS),
    # As many as MongoDB itself takes at once; the ids of so many fit into an answer.
    "an array of 1 to 100,000 objects": (
        lambda value: _are_objects(value) and 0 < len(value) <= 1e5,
        {**_DOCUMENTS, "minItems": 1, "maxItems": 100_000},
    ),
    "an object": (lambda value: isinstance(value, dict), {"type": "object"}),
}


# ---- What goes out ----


def choose_format(accept: str) -> str:
    """Choose the format that the Accept header names first, or else plain JSON."""
    for part in accept.lower().split(","):
        media_type = part.partition(";")[0].strip()
        if media_type in _WRITERS:
            return media_type
    return "application/json"


def write_result(result: Document, write: Callable[[Any], str], limit_bytes: int) -> str:
    """Write an action's result, and refuse it as soon as it outgrows the limit."""
    if "documents" not in result:
        text = write(result)
        _refuse_above(limit_bytes, _payload_bytes(text))
        return text
    documents, size_bytes = [], 0
    with result["documents"] as cursor:
        for document in cursor:
            text = write(document)
            documents.append(text)
            size_bytes += _payload_bytes(text) + 1  # the comma
            _refuse_above(limit_bytes, size_bytes)
    return f'{{"documents":[{",".join(documents)}]}}'


def _payload_bytes(text: str) -> int:
    # Of JSON text within the response that Lambda writes, which is JSON itself.
    return len(text.encode()) + text.count('"') + text.count("\\")


def _refuse_above(limit_bytes: int, size_bytes: int) -> None:
    if size_bytes > limit_bytes:
        message = (
            f"the answer exceeds the {limit_bytes:,} bytes that can be sent at once: page with "
            "limit and skip (in a pipeline, $limit and $skip), or ask for fewer fields"
        )
        raise Refusal(413, "ReadSizeLimitExceeded", message)


def _write_canonical(value: Any) -> str:
    options = json_util.CANONICAL_JSON_OPTIONS
    return json_util.dumps(value, json_options=options, ensure_ascii=False, separators=(",", ":"))


def _write_plain(value: Any) -> str:
    try:
        return _PLAIN.encode(value)
    except ValueError:  # NaN or an infinity, which JSON lacks
        return _PLAIN.encode(_without_constants(value))


def _without_constants(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_constants(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_constants(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"$numberDouble": json.dumps(value)}
    return value


def _plain(value: Any) -> Any:
    write = _PLAIN_FORMS.get(type(value), json_util.default)
    return write(value)


def _plain_binary(value: bytes) -> Document:
    return {"Subtype": getattr(value, "subtype", 0), "Data": base64.b64encode(value).decode()}


def _plain_regex(value: Regex[Any]) -> Document:
    regex = json_util.default(value)["$regularExpression"]
    return {"Pattern": regex["pattern"], "Options": regex["options"]}


# Reference: "data formats". What it does not name is written as relaxed Extended JSON.
_PLAIN_FORMS: dict[type, Callable[[Any], Any]] = {
    ObjectId: str,
    Decimal128: str,
    datetime: lambda value: value.isoformat(timespec="milliseconds") + "Z",
    bytes: _plain_binary,
    Binary: _plain_binary,
    Regex: _plain_regex,
    Timestamp: lambda value: {"T": value.time, "I": value.inc},
    MinKey: lambda value: {},
    MaxKey: lambda value: {},
    DBRef: DBRef.as_doc,
}
_PLAIN = json.JSONEncoder(
    default=_plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")
)
_WRITERS = {"application/json": _write_plain, "application/ejson": _write_canonical}


# ---- The database ----


@contextmanager
def database(context: Context) -> Iterator[MongoClient[Document]]:
    """Give the container's client for as long as the invocation has; its errors become Refusals."""
    global _client, _found_none
    if _client is None:
        _client = new_client(context)
    try:
        # Under pymongo.timeout the search for a server may take all the time that there is. So,
        # where none is known to be up, search with a limit of its own first.
        if not _client.topology_description.has_readable_server(_client.read_preference):
            patience_s = _SELECTION_AGAIN_S if _found_none else _SELECTION_S
            _found_none = True
            with pymongo.timeout(min(patience_s, time_left_s(context))):
                _client.admin.command("ping", read_preference=_client.read_preference)
        _found_none = False
        with pymongo.timeout(time_left_s(context)):
            yield _client
    except PyMongoError as error:
        if getattr(error, "code", None) in _CREDENTIALS_REFUSED:
            _client.close()
            _client = None  # the parameter may hold others by now
        raise refusal_of(error) from error


def time_left_s(context: Context) -> float:
    """Return the seconds until an answer must be on its way."""
    left_s = context.get_remaining_time_in_millis() / 1_000
    return max(left_s - _MARGIN_S, left_s / 4, 0.001)  # to pymongo, 0 means "no limit"


def new_client(context: Context) -> MongoClient[Document]:
    """Make a client, which connects by itself at its first command and after every failure."""
    try:
        uri = connection_string(context)
    except Exception as error:  # whatever SSM's client raises; the next request tries again
        raise _unavailable(f"no connection string: {type(error).__name__}: {error}") from error
    try:
        return MongoClient(
            uri,
            connectTimeoutMS=_CONNECT_MS,
            serverSelectionTimeoutMS=int(_SELECTION_S * 1_000),
            datetime_conversion=DatetimeConversion.DATETIME_AUTO,
        )
    except Exception as error:  # its text may quote the connection string, and so the password
        raise _unavailable(f"unusable connection string: {type(error).__name__}") from None


def connection_string(context: Context) -> str:
    """Return the value of the parameter that MONGODB_URI_PARAMETER names, or else MONGODB_URI."""
    name = os.environ.get("MONGODB_URI_PARAMETER")
    if not name:
        return os.environ["MONGODB_URI"]
    # Imported where it is needed: it takes as long as everything else together.
    import boto3
    from botocore.config import Config

    # Two tries, each of one connect and one read, and a wait of up to 1 s between them.
    limit_s = min(2.0, time_left_s(context) / 6)
    config = Config(
        connect_timeout=limit_s, read_timeout=limit_s, retries={"total_max_attempts": 2}
    )
    answer = boto3.client("ssm", config=config).get_parameter(Name=name, WithDecryption=True)
    return answer["Parameter"]["Value"]


def refusal_of(error: PyMongoError) -> Refusal:
    """Tell a database that is out of reach (503) from one that refuses the request (400)."""
    details = getattr(error, "details", None) or {}
    first = next(iter(details.get("writeErrors", ())), details)
    message = first.get("errmsg") or str(error)
    ended = getattr(error, "code", None) in (*_CREDENTIALS_REFUSED, _INTERRUPTED)
    if ended or error.timeout or isinstance(error, (ConnectionFailure, ConfigurationError)):
        return _unavailable(f"{type(error).__name__}: {message}")
    if getattr(error, "code", None) == _UNAUTHORIZED:
        _log.error("the connection string's user may not do this: %s", _one_line(message))
        return Refusal(403, "NoMatchingRuleFound", "no rule exists for this in the database")
    if "nInserted" in details:
        message += f" (documents inserted before it: {details['nInserted']})"
    code = "MongoDBError" if isinstance(error, OperationFailure) else "InvalidParameter"
    return Refusal(400, code, message)


def _unavailable(detail: str) -> Refusal:
    _log.error("database unavailable: %s", _one_line(detail))
    headers = {"Retry-After": str(_RETRY_AFTER_S)}
    return Refusal(503, "ServiceUnavailable", "the database is unavailable", headers)
