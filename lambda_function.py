"""HTTP front of a MongoDB database on AWS Lambda: a health route, and the Data API's ten actions.

Configured by environment variables:
- MONGODB_URI_PARAMETER: name of the SSM SecureString parameter that holds the connection string;
  without it, MONGODB_URI: the connection string itself.
- API_KEYS: a JSON object that names each API key by its sha256 (lower-case hexadecimal), with its
  scope: words separated by spaces, such as `read`, `write:shop` (a database), `read:shop.orders`
  (a collection). Without it no key opens anything.
- JWT_ISSUER: issuer of the tokens that count, once API Gateway has verified them. Their claim
  `scope` holds the same words. Without it no token counts.
- DATA_SOURCE: the one dataSource that requests may name. Without it they may name any.
- ALLOWED_OPERATORS: operators and stages that are refused otherwise, separated by commas.

Outside facts name their source: "reference" is MongoDB's of the Atlas Data API v1, with the chapter
on the Data API in the App Services manual; "AWS" is the developer guide of the service named.
Error codes that the reference lacks are those of App Services' own client libraries.
"""

import gc

gc.disable()  # collecting garbage while modules are imported takes a tenth of a cold start

import base64
import hashlib
import hmac
import json
import logging
import math
import os
import re
import ssl
import sys
import time
from collections.abc import Callable, Collection as Items, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cache, partial
from http.client import HTTPConnection, HTTPSConnection
from itertools import islice
from json.encoder import encode_basestring
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import pymongo
from bson import json_util
from bson import Binary, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import ConfigurationError, ConnectionFailure, OperationFailure, PyMongoError
from pymongo.results import DeleteResult, UpdateResult

# SnapStart starts many environments from one snapshot, with the same process id. pymongo makes new
# random bytes for ObjectIds where the process id is not the one it knows.
ObjectId._pid = None  # type: ignore[assignment]

gc.freeze()  # what is imported stays, so no later collection has to look at it
gc.enable()

type Document = dict[str, Any]

_log = logging.getLogger(__name__)
_setting = cache(os.environ.get)  # a container's variables never change, and os.environ is slow


# ---- A request and its answer ----


class Context(Protocol):
    """What is used of Lambda's context object."""

    aws_request_id: str
    function_version: str
    invoked_function_arn: str | None  # ends with the qualifier that was called, if there was one

    def get_remaining_time_in_millis(self) -> int: ...


class Request(NamedTuple):
    """An HTTP request."""

    method: str
    path: str  # without what may stand before the API's own paths
    headers: dict[str, str]  # names in lower case
    body: Any
    is_base64: bool
    context: Document  # the event's requestContext
    log: Document  # further members of the request's line in the log


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    body: str
    media_type: str = "application/json"
    headers: dict[str, str] = {}
    error_code: str | None = None


class ApiError(Exception):
    """An answer that is an error object (reference: errors)."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        link = "https://www.mongodb.com/docs/api/doc/atlas-data-api-v1/"
        body = json.dumps({"error": message, "error_code": code, "link": link})
        self.answer = Answer(status, body, headers=headers, error_code=code)


def lambda_handler(event: Any, context: Context) -> Document:
    """Answer one request, brought by API Gateway or a function URL."""
    request, began_s = None, time.monotonic()
    try:
        request = read_event(event)
        # In one write: `print` needs two, and Lambda flushes after each.
        sys.stdout.write(f"Method: {_one_line(request.method)}, Path: {_one_line(request.path)}\n")
        answer = answer_to(request, context)
    except ApiError as error:
        answer = error.answer
    except Exception:
        _log.exception("unexpected error")
        answer = ApiError(500, "InternalServerError", "internal server error").answer
    sys.stdout.write(log_line(request, answer, context, time.monotonic() - began_s) + "\n")
    return {
        "statusCode": answer.status,
        "headers": {"Content-Type": answer.media_type, **answer.headers},
        "body": "" if request and request.method == "HEAD" else answer.body,
        "isBase64Encoded": False,
    }


def _one_line(text: str) -> str:
    # A line break would begin a line of the caller's own in the log.
    return ascii(text)[1:-1]


def log_line(request: Request | None, answer: Answer, context: Context, took_s: float) -> str:
    """Return the line that alarms and the pipeline count by; it has no documents and no keys."""
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
        "databaseFailed": answer.status == 503,  # no other failure is answered with 503
        **(request.log if request else {}),
    }
    return json.dumps(line)


# A path of the API: below /api, or below /app/<id>/endpoint as in the hosted API's addresses. Their
# older version is beta. AWS API Gateway puts the stage before it, or a domain's base path.
_PATH = re.compile(
    r"(?:/[\w.$+!*'()-]+)*?/(?:api|app/[\w-]+/endpoint)/(?:(health)|data/(?:v1|beta)/action/(\w+))"
)


def read_event(event: Any) -> Request:
    """Read an event of AWS API Gateway, in payload format 2.0 (also a function URL's) or 1.0."""
    event = _dict(event)
    context = _dict(event.get("requestContext"))
    if event.get("version") == "2.0":
        method, path = _dict(context.get("http")).get("method"), event.get("rawPath")
    else:
        method, path = event.get("httpMethod"), event.get("path")
    if not isinstance(method, str) or not isinstance(path, str):
        raise ApiError(400, "InvalidParameter", "this is no HTTP event of API Gateway")
    if found := _PATH.fullmatch(path):
        path = f"{_ACTION_PATH}{found[2]}" if found[2] else _HEALTH_PATH
    headers = {name.lower(): str(value) for name, value in _dict(event.get("headers")).items()}
    body, is_base64 = event.get("body"), event.get("isBase64Encoded") is True
    return Request(method, path, headers, body, is_base64, context, log={})


def _dict(value: Any) -> Document:
    return value if isinstance(value, dict) else {}


# ---- Routes ----

_FORMAT = re.compile(r"(?:^|,)\s*(application/e?json)\s*(?:[;,]|$)")  # the first is chosen
_HEALTH_PATH, _ACTION_PATH = "/api/health", "/api/data/v1/action/"


def answer_to(request: Request, context: Context) -> Answer:
    """Let the request's route answer it."""
    action, allow = None, "GET, HEAD"
    if request.path != _HEALTH_PATH:
        before, path, name = request.path.partition(_ACTION_PATH)
        action, allow = ACTIONS.get(name), "POST"
        if before or not path or action is None:
            raise ApiError(404, "NotFound", "no such endpoint")
    if request.method == "OPTIONS":  # the headers of CORS are API Gateway's
        return Answer(204, "", headers={"Allow": allow})
    if request.method not in allow.split(", "):
        raise ApiError(405, "MethodNotAllowed", f"this endpoint takes {allow}", Allow=allow)
    return act(action, request, context) if action else health(context)


def health(context: Context) -> Answer:
    """Return whether the database answers, and which versions are at work."""
    status, state, version, headers = 200, "ok", None, {}
    try:
        with database(context) as client:
            version = client.server_info()["version"]
    except ApiError as error:
        status, state, headers = 503, "unavailable", error.answer.headers
    body = {"status": state, "database": state, "serverVersion": version}
    body["functionVersion"] = context.function_version
    return Answer(status, json.dumps(body), headers=headers)


def act(action: "Action", request: Request, context: Context) -> Answer:
    """Let a caller who has the rights perform an action."""
    caller = identify(request)
    request.log["caller"] = caller.name
    fields = read_fields(read_body(request), action.fields)
    if _setting("DATA_SOURCE") not in (None, fields["dataSource"]):
        raise ApiError(400, "ServiceNotFound", f"service not found: '{fields['dataSource']}'")
    caller.require(action.right, fields["database"], fields["collection"])
    check_operators(fields, caller)
    accepted = _FORMAT.search(request.headers.get("accept", "").lower())
    media_type = accepted[1] if accepted else "application/json"
    with database(context) as client:
        try:
            collection = client[fields["database"]][fields["collection"]]
            status, result = action.run(collection, fields)
            return Answer(status, write_result(result, _WRITERS[media_type]), media_type)
        except MemoryError:
            raise ApiError(413, "ReadSizeLimitExceeded", _TOO_LARGE) from None
        except (BSONError, TypeError, ValueError, OverflowError, RecursionError) as error:
            # pymongo's, of a value that BSON cannot hold, or of an update that is none.
            raise ApiError(400, "InvalidParameter", str(error)) from error


# ---- Who may do what ----

_HASH = re.compile("[0-9a-f]{64}")
_WORD = re.compile(r"(read|write)(:[^\s.]+(\.\S+)?)?")


class Caller(NamedTuple):
    """Who sent a request: a name for the log, and the words of the scope."""

    name: str
    scope: frozenset[str]

    def require(self, right: str, database: str, collection: str) -> None:
        """Raise ApiError unless the scope holds the right to a collection.

        What is MongoDB's own is opened only by a word that names it: such a database, or a
        collection `system.…` (views and JavaScript are stored there).
        """
        words = {f"{right}:{database}.{collection}"}
        if not collection.startswith("system."):
            words.add(f"{right}:{database}")
            if database not in ("admin", "config", "local"):
                words.add(right)
        if "." in database:  # which could pass for another one's collection
            raise ApiError(400, "InvalidParameter", "a database's name has no dot")
        if words.isdisjoint(self.scope):
            message = f"no rule exists for namespace '{database}.{collection}'"
            raise ApiError(403, "NoMatchingRuleFound", message)


def identify(request: Request) -> Caller:
    """Return who the request's token or else its API key names (reference: authentication)."""
    # AWS API Gateway: what a JWT authorizer adds to the request context of an HTTP API.
    if (issuer := _setting("JWT_ISSUER")) and "http" in request.context:
        jwt = _dict(_dict(request.context.get("authorizer")).get("jwt"))
        claims = _dict(jwt.get("claims"))
        if claims.get("iss") == issuer:
            return Caller("token", frozenset(str(claims.get("scope", "")).split()))
    # Another scheme than Bearer is ignored: a signature of AWS takes this header, too.
    has_token = request.headers.get("authorization", "").lower().startswith("bearer ")
    keys = {request.headers[name] for name in ("apikey", "api-key") if name in request.headers}
    if not has_token:
        if not keys:
            raise ApiError(400, "InvalidParameter", "no authentication methods were specified")
        if len(keys) > 1:
            raise ApiError(400, "InvalidParameter", "apiKey and api-key are two different keys")
        if "" in keys:
            raise ApiError(400, "MissingParameter", "the header apiKey is empty")
        digest = hashlib.sha256(keys.pop().encode(errors="surrogatepass")).hexdigest()
        # Every key is compared, whichever fits, so the time is the same.
        found = [scope for one, scope in api_keys().items() if hmac.compare_digest(digest, one)]
        if found:
            return Caller(digest[:8], found[0])
    # A token that nothing has verified names nobody, as a wrong key does.
    raise ApiError(401, "InvalidSession", "invalid session: error finding user for endpoint")


@cache
def api_keys() -> dict[str, frozenset[str]]:
    """Return the scope of each key, by its hash; raise ValueError if API_KEYS is malformed."""
    try:
        keys = json.loads(os.environ.get("API_KEYS") or "{}")
        scopes = {one: frozenset(scope.split()) for one, scope in keys.items()}
        words = frozenset().union(*scopes.values())
        if all(map(_HASH.fullmatch, keys)) and all(map(_WORD.fullmatch, words)):
            return scopes
    except (ValueError, AttributeError):
        pass  # no details: what is wrong may be a key itself
    raise ValueError(
        "API_KEYS must be a JSON object from the sha256 of each key (64 lower-case hexadecimal "
        "digits) to its scope (words such as read, write:shop, read:shop.orders)"
    )


# ---- The body ----

# The last is what curl sends where no type is given, as in MongoDB's own examples.
_BODY_TYPES = ("", "application/json", "application/ejson", "application/x-www-form-urlencoded")
_MAX_OBJECTS = 500_000  # six megabytes, Lambda's own limit, can hold enough to fill the memory
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_EXTENDED = json_util.JSONOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)


def read_body(request: Request) -> Document:
    """Read the body, as JSON or Extended JSON under any of the content types."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _BODY_TYPES:
        message = "the Content-Type must be application/json or application/ejson"
        raise ApiError(415, "UnsupportedMediaType", message)
    if not isinstance(request.body, str) or not request.body:
        raise ApiError(400, "MissingParameter", "the request has no body")
    try:
        text = base64.b64decode(request.body).decode() if request.is_base64 else request.body
        if _brackets(text) > _MAX_OBJECTS and _brackets(_STRING.sub("", text)) > _MAX_OBJECTS:
            message = f"the request's body has more than {_MAX_OBJECTS:,} objects and arrays"
            raise ApiError(413, "InvalidParameter", message)
        body = _READER.decode(text)
    except ApiError:
        raise
    except Exception as error:  # json_util does not say what it raises for malformed Extended JSON
        message = f"the request's body is not valid JSON: {str(error)[:200]}"
        raise ApiError(400, "InvalidParameter", message) from error
    if not isinstance(body, dict):
        raise ApiError(400, "InvalidParameter", "the request's body must be an object")
    return body


def _brackets(text: str) -> int:
    return text.count("{") + text.count("[")


def _from_extended(value: Document) -> Any:
    # To MongoDB $regex is an operator, and a reference an object like others. json_util would make
    # values of them, in which the other names could not be seen.
    if "$regex" in value or "$ref" in value:
        return value
    pointer = value.get("$dbPointer")
    if isinstance(pointer, dict) and pointer.keys() == {"$ref", "$id"}:
        return pointer
    return json_util.object_hook(value, _EXTENDED)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


_READER = json.JSONDecoder(object_hook=_from_extended, parse_constant=_refuse_constant)


class Field(NamedTuple):
    """What a field of a request's body must be; without a default it is required."""

    kind: str
    fits: Callable[[Any], bool]
    default: Any = None


def _is_size(value: Any) -> bool:
    # JSON has one type for numbers, so 10.0 is an integer as well.
    return type(value) in (int, float, Int64) and 0 <= value < 2**31 and value == int(value)


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def read_fields(body: Document, fields: dict[str, Field]) -> Document:
    """Take an action's fields out of the body; null counts as absent."""
    values = {}
    for name, field in fields.items():
        value = body.get(name)
        if value is None:
            if field.default is None:
                raise ApiError(400, "MissingParameter", f"missing required field: {name}")
            value = field.default
        elif not field.fits(value):
            raise ApiError(400, "InvalidParameter", f"{name} must be {field.kind}")
        values[name] = value
    return values


# ---- The ten actions ----

_BATCH = 1_000  # documents that are read and written at a time

type Run = Callable[[Collection[Document], Document], tuple[int, Document]]


class Action(NamedTuple):
    """What an action needs, takes and does; the documents in its result may be a cursor."""

    right: str
    fields: dict[str, Field]
    run: Run


def _find(collection: Collection[Document], fields: Document) -> tuple[int, Document]:
    cursor = collection.find(
        fields["filter"],
        fields["projection"] or None,
        sort={name: _whole(order) for name, order in fields["sort"].items()} or None,
        skip=int(fields["skip"]),
        limit=int(fields["limit"]),
        batch_size=_BATCH,
    )
    return 200, {"documents": cursor}


def _whole(order: Any) -> Any:
    # MongoDB takes 1.0, pymongo does not.
    return int(order) if isinstance(order, float) and order.is_integer() else order


def _update(method: Callable[..., UpdateResult], change: str) -> Run:
    def run(collection: Collection[Document], fields: Document) -> tuple[int, Document]:
        result = method(collection, fields["filter"], fields[change], fields["upsert"])
        if result.did_upsert:  # pymongo counts a match where the new document's id is null
            return 201, {"matchedCount": 0, "modifiedCount": 0, "upsertedId": result.upserted_id}
        return 200, {"matchedCount": result.matched_count, "modifiedCount": result.modified_count}

    return run


def _delete(method: Callable[..., DeleteResult]) -> Run:
    return lambda c, f: (200, {"deletedCount": method(c, f["filter"]).deleted_count})


_TEXT = Field("a non-empty string", lambda value: isinstance(value, str) and value != "")
_SIZE = Field("an integer from 0 to 2,147,483,647", _is_size, default=0)
_OBJECT = Field("an object", lambda value: isinstance(value, dict))
_OPTIONAL = _OBJECT._replace(default={})
_OBJECTS = Field("an array of objects", _are_objects)
# As many as MongoDB itself takes at once; the ids of so many fit into an answer.
_MANY = Field("an array of 1 to 100,000 objects", lambda v: _are_objects(v) and 0 < len(v) <= 1e5)
_UPSERT = Field("a boolean", lambda value: isinstance(value, bool), default=False)

_TARGET = dict.fromkeys(("dataSource", "database", "collection"), _TEXT)
_QUERY = {**_TARGET, "filter": _OPTIONAL, "projection": _OPTIONAL}
_PAGE = {"sort": _OPTIONAL, "limit": _SIZE._replace(default=1_000), "skip": _SIZE}
_MATCH = {**_TARGET, "filter": _OBJECT}
_UPDATE = {**_MATCH, "update": _OBJECT, "upsert": _UPSERT}
_REPLACE = {**_MATCH, "replacement": _OBJECT, "upsert": _UPSERT}

# Reference: the endpoints, their fields and defaults; c is the collection, f are the fields.
ACTIONS = {
    "findOne": Action(
        "read",
        _QUERY,
        lambda c, f: (200, {"document": c.find_one(f["filter"], f["projection"] or None)}),
    ),
    "find": Action("read", {**_QUERY, **_PAGE}, _find),
    "aggregate": Action(
        "read",
        {**_TARGET, "pipeline": _OBJECTS},
        lambda c, f: (200, {"documents": c.aggregate(f["pipeline"], batchSize=_BATCH)}),
    ),
    "insertOne": Action(
        "write",
        {**_TARGET, "document": _OBJECT},
        lambda c, f: (201, {"insertedId": c.insert_one(f["document"]).inserted_id}),
    ),
    "insertMany": Action(
        "write",
        {**_TARGET, "documents": _MANY},
        lambda c, f: (201, {"insertedIds": c.insert_many(f["documents"]).inserted_ids}),
    ),
    "updateOne": Action("write", _UPDATE, _update(Collection.update_one, "update")),
    "updateMany": Action("write", _UPDATE, _update(Collection.update_many, "update")),
    "replaceOne": Action("write", _REPLACE, _update(Collection.replace_one, "replacement")),
    "deleteOne": Action("write", _MATCH, _delete(Collection.delete_one)),
    "deleteMany": Action("write", _MATCH, _delete(Collection.delete_many)),
}


# ---- Operators and stages ----

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


def check_operators(fields: Document, caller: Caller) -> None:
    """Raise ApiError for what runs code, looks at the server, or needs a right that is missing.

    A name counts wherever it stands, even where MongoDB would take it for a value.
    """
    allowed = (_setting("ALLOWED_OPERATORS") or "").replace(" ", "").split(",")
    for name, operand in _names(list(map(fields.get, _EVALUATED))):
        # MongoDB's own, for use between its servers. Some run JavaScript ($_internalJsEmit), some
        # reach other collections, and each version brings new ones.
        if name.startswith("$_") or (name in _REFUSED and name not in allowed):
            raise ApiError(403, "ArgumentsNotAllowed", f"{name} is not allowed")
        if name in _FOREIGN:
            right, where = _FOREIGN[name]
            target = _dict(operand).get(where) if where else operand
            database = fields["database"]
            if isinstance(target, dict):
                database, target = target.get("db", database), target.get("coll")
            if target is None:
                continue  # $documents take the collection's place, or MongoDB refuses it
            if not isinstance(target, str) or not isinstance(database, str):
                raise ApiError(400, "InvalidParameter", f"{name} must name a collection")
            caller.require(right, database, target)
    for stage in _stages(fields.get("pipeline", [])):
        if stage not in _STAGES and stage not in allowed:
            raise ApiError(403, "ArgumentsNotAllowed", f"the stage {stage} is not allowed")


def _names(value: Any) -> Iterator[tuple[str, Any]]:
    # Each name in a value, however deep, with its operand.
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
                if name in ("$facet", "$lookup", "$unionWith"):
                    inner = _dict(operand)
                    pipelines = inner.values() if name == "$facet" else (inner.get("pipeline"),)
                    todo.extend(each for each in pipelines if isinstance(each, list))


# ---- The database ----

_MARGIN_S = 1.0  # of the invocation's time; pymongo, in search of a server, is up to 0.5 s late
_SELECTION_S = 5.0  # at most, to find a server where none is known to be up
_SELECTION_AGAIN_S = 1.0  # the same, where the request before has found none
# MongoDB's error codes: a user lacks a privilege, or gave a wrong password; an operation was ended
# by an administrator, or within JavaScript by a time limit; whatever Atlas's shared tiers refuse.
_UNAUTHORIZED, _AUTHENTICATION_FAILED, _INTERRUPTED, _ATLAS_ERROR = 13, 18, 11601, 8000

# Made during initialisation, for which Lambda gives a whole CPU: reading the certificates is slow.
_TLS = ssl.create_default_context() if "MONGODB_URI_PARAMETER" in os.environ else None
_client: MongoClient[Document] | None = None  # the container's, made at the first request
_found_none = False  # whether the last search for a server was in vain


@contextmanager
def database(context: Context) -> Iterator[MongoClient[Document]]:
    """Yield the container's client until the invocation ends; its errors become ApiError."""
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
        if _is_wrong_password(error):
            _client.close()
            _client = None  # the parameter may hold others by now
        raise error_of(error) from error


def time_left_s(context: Context) -> float:
    """Return the seconds until an answer must be on its way."""
    left_s = context.get_remaining_time_in_millis() / 1_000
    return max(left_s - _MARGIN_S, left_s / 4, 0.001)  # to pymongo, 0 means "no limit"


def new_client(context: Context) -> MongoClient[Document]:
    """Make a client, which connects by itself at its first command and after every failure."""
    try:
        uri = connection_string(context)
    except Exception as error:  # the next request tries again
        raise _unavailable(f"no connection string: {type(error).__name__}: {error}") from error
    try:
        return MongoClient(
            uri,
            connectTimeoutMS=3_000,
            serverSelectionTimeoutMS=int(_SELECTION_S * 1_000),
            datetime_conversion=DatetimeConversion.DATETIME_AUTO,
        )
    except Exception as error:  # its text may quote the connection string, and so the password
        raise _unavailable(f"unusable connection string: {type(error).__name__}") from None


def connection_string(context: Context) -> str:
    """Return the value of the parameter that MONGODB_URI_PARAMETER names, or else MONGODB_URI."""
    if not (name := os.environ.get("MONGODB_URI_PARAMETER")):
        return os.environ["MONGODB_URI"]
    # Twice at most, each time to connect, to agree on TLS, and to read.
    limit_s = min(2.0, time_left_s(context) / 8)
    try:
        return read_parameter(name, limit_s)
    except Exception:  # throttled, or cut off: a moment later it may be there
        time.sleep(limit_s / 4)
        return read_parameter(name, limit_s)


def read_parameter(name: str, limit_s: float) -> str:
    """Read a parameter of AWS Systems Manager, decrypted.

    Signed by hand (AWS IAM user guide: "Create a signed AWS API request"), because for this one
    call boto3 would take more CPU time than all the rest from the start to the first answer.
    """
    if url := os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        # AWS Lambda with SnapStart: those of the snapshot would expire.
        headers = {"authorization": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]}
        given = _send(url, headers, None, limit_s)
        key_id, secret, token = given["AccessKeyId"], given["SecretAccessKey"], given["Token"]
    else:
        key_id, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        token = os.environ.get("AWS_SESSION_TOKEN")
    region = os.environ["AWS_REGION"]
    suffix = ".cn" if region.startswith("cn-") else ""
    url = os.environ.get("AWS_ENDPOINT_URL") or f"https://ssm.{region}.amazonaws.com{suffix}"
    body = json.dumps({"Name": name, "WithDecryption": True}).encode()
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{now[:8]}/{region}/ssm/aws4_request"
    headers = {  # in alphabetical order
        "content-type": "application/x-amz-json-1.1",
        "host": urlsplit(url).netloc,
        "x-amz-date": now,
        **({"x-amz-security-token": token} if token else {}),
        "x-amz-target": "AmazonSSM.GetParameter",
    }
    signed = ";".join(headers)
    lines = "".join(f"{header}:{value}\n" for header, value in headers.items())
    request = f"POST\n/\n\n{lines}\n{signed}\n{hashlib.sha256(body).hexdigest()}"
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{digest}"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = f"SignedHeaders={signed}, Signature={key.hex()}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, {signature}"
    return str(_send(url, headers, body, limit_s)["Parameter"]["Value"])


def _send(url: str, headers: dict[str, str], body: bytes | None, limit_s: float) -> Document:
    parts = urlsplit(url)
    connect = partial(HTTPSConnection, context=_TLS) if parts.scheme == "https" else HTTPConnection
    with closing(connect(parts.netloc, timeout=limit_s)) as connection:
        connection.request("POST" if body else "GET", parts.path or "/", body, headers)
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
    if response.status != 200:
        raise LookupError(f"{response.status}: {text[:1_000]}")
    return _dict(json.loads(text))


def error_of(error: PyMongoError) -> ApiError:
    """Return 503 for a database that is out of reach, 400 or 403 for one that refuses a request."""
    code, details = getattr(error, "code", None), getattr(error, "details", None) or {}
    first = next(iter(details.get("writeErrors", ())), details)
    message = first.get("errmsg") or str(error)
    ended = error.timeout or code == _INTERRUPTED or _is_wrong_password(error)
    if ended or isinstance(error, (ConnectionFailure, ConfigurationError)):
        return _unavailable(f"{type(error).__name__}: {message}")
    if code == _UNAUTHORIZED or (code == _ATLAS_ERROR and "not allowed to do action" in message):
        _log.error("the connection string's user may not do this: %s", _one_line(message))
        return ApiError(403, "NoMatchingRuleFound", "no rule exists for this in the database")
    if "nInserted" in details:
        message += f" (documents inserted before it: {details['nInserted']})"
    kind = "MongoDBError" if isinstance(error, OperationFailure) else "InvalidParameter"
    return ApiError(400, kind, message)


def _is_wrong_password(error: PyMongoError) -> bool:
    code = getattr(error, "code", None)
    return code == _AUTHENTICATION_FAILED or (code == _ATLAS_ERROR and "bad auth" in str(error))


def _unavailable(detail: str) -> ApiError:
    _log.error("database unavailable: %s", _one_line(detail))
    headers = {"Retry-After": "1"}  # the caller has waited for a server already
    return ApiError(503, "ServiceUnavailable", "the database is unavailable", **headers)


# ---- The answer ----

# AWS Lambda: "Response payload size exceeded maximum allowed payload size (6291556 bytes)". The KB
# less is for what surrounds the body.
_LIMIT_BYTES = 6_291_556 - 1_024
_TOO_LARGE = (
    f"the answer exceeds the {_LIMIT_BYTES:,} bytes that can be sent at once: page with limit and "
    "skip (in a pipeline, $limit and $skip), or ask for fewer fields"
)


def write_result(result: Document, write: Callable[[Any], str]) -> str:
    """Write an action's result, and refuse it as soon as it outgrows the limit."""
    if "documents" not in result:
        text = write(result)
        _check_size(text, 0)
        return text
    texts, size_bytes = [], 0
    with result["documents"] as cursor:
        while documents := cursor.to_list(_BATCH):
            text = write(documents)
            documents.clear()  # before the next ones are read
            size_bytes = _check_size(text, size_bytes - 1)  # a comma replaces its two brackets
            texts.append(text[1:-1])
    return f'{{"documents":[{",".join(texts)}]}}'


def _check_size(text: str, before_bytes: int) -> int:
    # Of JSON text within the response that Lambda writes, which is JSON itself.
    if before_bytes + len(text) <= _LIMIT_BYTES:  # else it may be too large to encode
        size_bytes = before_bytes + len(text.encode()) + text.count('"') + text.count("\\")
        if size_bytes <= _LIMIT_BYTES:
            return size_bytes
    raise ApiError(413, "ReadSizeLimitExceeded", _TOO_LARGE)


def _write_plain(value: Any) -> str:
    try:
        return _PLAIN.encode(value)
    except ValueError:  # NaN or an infinity, which JSON lacks
        return _PLAIN.encode(_without_constants(value))


def _without_constants(value: Any) -> Any:
    # In place, for a copy of a large document may not fit into the memory.
    if isinstance(value, float) and not math.isfinite(value):
        return _CONSTANTS[json.dumps(value)]
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            value[key] = _without_constants(item)
    return value


def _plain_binary(value: bytes) -> Document:
    return {"Subtype": getattr(value, "subtype", 0), "Data": base64.b64encode(value).decode()}


def _plain_regex(value: Regex[Any]) -> Document:
    regex = json_util.default(value)["$regularExpression"]
    return {"Pattern": regex["pattern"], "Options": regex["options"]}


_CONSTANTS = {name: {"$numberDouble": name} for name in ("NaN", "Infinity", "-Infinity")}
# Reference: "data formats". What it does not name is written as relaxed Extended JSON.
_PLAIN_FORMS: dict[type, Callable[[Any], Any]] = {
    ObjectId: ObjectId.__str__,
    Decimal128: str,
    datetime: lambda value: value.isoformat(timespec="milliseconds") + "Z",
    bytes: _plain_binary,
    Binary: _plain_binary,
    Regex: _plain_regex,
    Timestamp: lambda value: {"T": value.time, "I": value.inc},
    MinKey: lambda value: {},
    MaxKey: lambda value: {},
    DBRef: lambda value: _without_constants(dict(value.as_doc())),
}
_PLAIN = json.JSONEncoder(
    default=lambda value: _PLAIN_FORMS.get(type(value), json_util.default)(value),
    ensure_ascii=False,
    allow_nan=False,
    check_circular=False,  # what MongoDB sends has no circles
    separators=(",", ":"),
)


def _write_extended(value: Any) -> str:
    # Canonical. json_util.dumps copies all of a value before it writes.
    if isinstance(value, list):
        return f"[{_joined(value, _elements)}]"
    if isinstance(value, dict):
        return f"{{{_joined(value.items(), _members)}}}"
    return _PLAIN.encode(json_util.default(value, json_util.CANONICAL_JSON_OPTIONS))


def _elements(items: Iterable[Any]) -> list[str]:
    return [_TEXTS.get(type(item), _write_extended)(item) for item in items]


def _members(items: Iterable[tuple[str, Any]]) -> list[str]:
    return [f"{encode_basestring(n)}:{_TEXTS.get(type(v), _write_extended)(v)}" for n, v in items]


def _joined(items: Items[Any], write: Callable[[Iterable[Any]], list[str]]) -> str:
    if len(items) <= _BATCH:
        return ",".join(write(items))
    # So many small strings could fill the memory before the answer is seen to be too large.
    texts, size, rest = [], 0, iter(items)
    while batch := write(islice(rest, _BATCH)):
        texts.append(",".join(batch))
        if (size := size + len(texts[-1])) > _LIMIT_BYTES:
            raise ApiError(413, "ReadSizeLimitExceeded", _TOO_LARGE)
    return ",".join(texts)


_TEXTS: dict[type, Callable[[Any], str]] = {
    str: encode_basestring,
    bool: lambda value: "true" if value else "false",
    type(None): lambda value: "null",
    int: lambda v: f'{{"$number{"Int" if -(2**31) <= v < 2**31 else "Long"}":"{v}"}}',
    float: lambda v: f'{{"$numberDouble":"{repr(v) if math.isfinite(v) else json.dumps(v)}"}}',
    Int64: lambda value: f'{{"$numberLong":"{value}"}}',
    ObjectId: lambda value: f'{{"$oid":"{value.binary.hex()}"}}',
    DBRef: lambda value: _write_extended(value.as_doc()),
}
_WRITERS = {"application/json": _write_plain, "application/ejson": _write_extended}
