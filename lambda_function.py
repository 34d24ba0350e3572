"""HTTP front of a MongoDB database on AWS Lambda: a health route, and the Data API's ten actions.

Configured by environment variables:
- MONGODB_URI_PARAMETER: name of the SSM SecureString parameter that holds the connection string;
  without it, MONGODB_URI: the connection string itself.
- API_KEY_SHA256S: the sha256 hashes (lower-case hexadecimal, separated by commas) of the API keys
  that open the data routes. Without any they are closed, but for:
- JWT_ISSUER: whose tokens open them too, if API Gateway has verified them. Without it: nobody's.

Outside facts name their source: "reference" is MongoDB's of the Atlas Data API v1, with the chapter
on the Data API in the App Services manual; "AWS" is the developer guide of the service named.
"""

import base64
import hashlib
import hmac
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol

import pymongo
from bson import json_util
from bson import Binary, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.cursor import Cursor
from pymongo.errors import ConfigurationError, ConnectionFailure, OperationFailure, PyMongoError
from pymongo.results import UpdateResult

type Document = dict[str, Any]
type Result = tuple[int, Document]

# AWS Lambda: "Response payload size exceeded maximum allowed payload size (6291556 bytes)"; AWS
# Elastic Load Balancing: 1 MB. The KB less is for what surrounds the body.
_LAMBDA_LIMIT_BYTES = 6_291_556 - 1_024
_LOAD_BALANCER_LIMIT_BYTES = 1_000_000 - 1_024

_MARGIN_S = 1.0  # of the invocation's time; pymongo, in search of a server, is up to 0.5 s late
_SELECTION_S = 5.0  # at most, to find a server where none is known to be up
_CONNECT_MS = 3_000
_CREDENTIALS_REFUSED = (18, 8000)  # MongoDB's code AuthenticationFailed, and Atlas's own for it

_log = logging.getLogger(__name__)
_client: MongoClient[Document] | None = None  # the container's, made at the first request


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
    token_issuer: Any  # of the token that API Gateway has verified; None without one


class Answer(NamedTuple):
    """An HTTP answer, whichever service takes it."""

    status: int
    body: str
    media_type: str = "application/json"
    headers: dict[str, str] = {}


class Refusal(Exception):
    """An answer that is an error object (reference: errors)."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        link = "https://www.mongodb.com/docs/api/doc/atlas-data-api-v1/"
        body = json.dumps({"error": message, "error_code": code, "link": link})
        self.answer = Answer(status, body, headers=headers)


def lambda_handler(event: Any, context: Context) -> Document:
    """Answer one request, brought by API Gateway, a function URL or a load balancer."""
    request, began_s = None, time.monotonic()
    try:
        request = read_event(event)
        print(f"Method: {_one_line(request.method)}, Path: {_one_line(request.path)}")
        answer = answer_to(request, context)
    except Refusal as refusal:
        answer = refusal.answer
    except Exception:
        _log.exception("unexpected error")
        answer = Refusal(500, "InternalServerError", "internal server error").answer
    print(log_line(request, answer, context, time.monotonic() - began_s))
    return proxy_response(request, answer)


def log_line(request: Request | None, answer: Answer, context: Context, took_s: float) -> str:
    """Tell in a line of JSON how a request was answered; no documents, no keys.

    Alarms count by it, and the pipeline compares how versions answer.
    """
    # arn:aws:lambda:<region>:<account>:function:<name>[:<qualifier>]
    qualifier = dict(enumerate((context.invoked_function_arn or "").split(":"))).get(7)
    line = {
        "requestId": context.aws_request_id,
        "method": request and request.method,
        "path": request and request.path,
        "status": answer.status,
        "durationMs": round(took_s * 1_000, 1),
        "functionVersion": context.function_version,
        "qualifier": qualifier,
        "databaseFailed": answer.status == 503,  # which nothing else is answered with
    }
    return json.dumps(line)


def answer_to(request: Request, context: Context) -> Answer:
    """Let the request's route answer it."""
    if request.path not in ROUTES:
        raise Refusal(404, "NotFound", "no such endpoint")
    method, respond = ROUTES[request.path]
    if request.method != method:
        raise Refusal(405, "MethodNotAllowed", f"this endpoint takes {method}", Allow=method)
    return respond(request, context)


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
        token_issuer=_token_issuer(context),
    )


def _token_issuer(context: Document) -> Any:
    # AWS API Gateway: what a JWT authorizer adds to the request context.
    jwt = _dict(_dict(context.get("authorizer")).get("jwt"))
    return _dict(jwt.get("claims")).get("iss")


def proxy_response(request: Request | None, answer: Answer) -> Document:
    """Give the answer the form that the request's service takes.

    AWS Elastic Load Balancing: a status description, and multi-value headers if it sends them.
    """
    headers = {"Content-Type": answer.media_type, **answer.headers}
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
    status, word, server_version = 200, "ok", None
    try:
        with database(context) as client:
            client.admin.command("ping")
            server_version = client.server_info()["version"]
    except Refusal:
        status, word = 503, "unavailable"
    versions = {"serverVersion": server_version, "functionVersion": context.function_version}
    return Answer(status, json.dumps({"status": word, "database": word, **versions}))


def act(action: "Action", request: Request, context: Context) -> Answer:
    """Let a caller who holds a key perform an action."""
    authorize(request)
    fields = read_fields(read_body(request), action.fields)
    media_type = choose_format(request.headers.get("accept", ""))
    limit = _LOAD_BALANCER_LIMIT_BYTES if request.from_load_balancer else _LAMBDA_LIMIT_BYTES
    with database(context) as client:
        try:
            collection = client[fields["database"]][fields["collection"]]
            status, result = action.run(collection, fields)
            return Answer(status, write_result(result, _WRITERS[media_type], limit), media_type)
        except (BSONError, TypeError, ValueError, OverflowError, RecursionError) as error:
            # pymongo's, of a value that BSON cannot hold, or of an update that is none.
            raise Refusal(400, "InvalidParameter", str(error)) from error


class Field(NamedTuple):
    """A field of a request's body, its kind in words; without a default it is required."""

    kind: str
    default: Any = None


class Action(NamedTuple):
    """The fields that an action takes, and what it does with them to a collection."""

    fields: dict[str, Field]
    run: Callable[[Collection[Document], Document], Result]


def _find(collection: Collection[Document], fields: Document) -> Cursor[Document]:
    return collection.find(
        fields["filter"],
        fields["projection"] or None,
        sort=fields["sort"] or None,
        skip=fields["skip"],
        limit=fields["limit"],
        batch_size=fields["limit"],  # one round trip, where one reply of MongoDB's holds them all
    )


def _updated(result: UpdateResult) -> Result:
    counts = {"matchedCount": result.matched_count, "modifiedCount": result.modified_count}
    if result.did_upsert:
        return 201, {**counts, "upsertedId": result.upserted_id}
    return 200, counts


_OBJECT, _OPTIONAL_OBJECT = Field("an object"), Field("an object", {})
_UPSERT = {"upsert": Field("a boolean", False)}
_TARGET = {name: Field("a non-empty string") for name in ("dataSource", "database", "collection")}
_MATCH = {**_TARGET, "filter": _OBJECT}
_FIND_ONE = {**_TARGET, "filter": _OPTIONAL_OBJECT, "projection": _OPTIONAL_OBJECT}
_PAGE = {name: Field("a non-negative integer", n) for name, n in (("limit", 1_000), ("skip", 0))}

# Reference: the endpoints, their fields and defaults; c is the collection, f are the fields.
ACTIONS = {
    "findOne": Action(
        _FIND_ONE,
        lambda c, f: (200, {"document": c.find_one(f["filter"], f["projection"] or None)}),
    ),
    "find": Action(
        {**_FIND_ONE, "sort": _OPTIONAL_OBJECT, **_PAGE},
        lambda c, f: (200, {"documents": _find(c, f)}),
    ),
    "insertOne": Action(
        {**_TARGET, "document": _OBJECT},
        lambda c, f: (201, {"insertedId": c.insert_one(f["document"]).inserted_id}),
    ),
    "insertMany": Action(
        {**_TARGET, "documents": Field("an array of 1 to 100,000 objects")},
        lambda c, f: (201, {"insertedIds": c.insert_many(f["documents"]).inserted_ids}),
    ),
    "updateOne": Action(
        {**_MATCH, "update": _OBJECT, **_UPSERT},
        lambda c, f: _updated(c.update_one(f["filter"], f["update"], f["upsert"])),
    ),
    "updateMany": Action(
        {**_MATCH, "update": _OBJECT, **_UPSERT},
        lambda c, f: _updated(c.update_many(f["filter"], f["update"], f["upsert"])),
    ),
    "replaceOne": Action(
        {**_MATCH, "replacement": _OBJECT, **_UPSERT},
        lambda c, f: _updated(c.replace_one(f["filter"], f["replacement"], f["upsert"])),
    ),
    "deleteOne": Action(
        _MATCH,
        lambda c, f: (200, {"deletedCount": c.delete_one(f["filter"]).deleted_count}),
    ),
    "deleteMany": Action(
        _MATCH,
        lambda c, f: (200, {"deletedCount": c.delete_many(f["filter"]).deleted_count}),
    ),
    "aggregate": Action(
        {**_TARGET, "pipeline": Field("an array of objects")},
        lambda c, f: (200, {"documents": c.aggregate(f["pipeline"])}),
    ),
}

ROUTES: dict[str, tuple[str, Callable[[Request, Context], Answer]]] = {
    "/api/health": ("GET", health),
    **{f"/api/data/v1/action/{name}": ("POST", partial(act, ACTIONS[name])) for name in ACTIONS},
}


# ---- What comes in ----


def authorize(request: Request) -> None:
    """Raise Refusal unless the request carries one of the API keys (reference: authentication).

    Or a token of JWT_ISSUER's that API Gateway has verified: such a request may carry a key too.
    """
    if request.token_issuer and request.token_issuer == os.environ.get("JWT_ISSUER"):
        return
    headers = request.headers
    keys = {headers[name] for name in ("apikey", "api-key") if name in headers}
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
    if tokens or not is_accepted(keys.pop()):
        raise Refusal(401, "InvalidSession", "invalid session: error finding user for endpoint")


def is_accepted(key: str) -> bool:
    """Compare a key with every accepted one, in a time that tells nothing about them."""
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest().encode()
    hashes = os.environ.get("API_KEY_SHA256S", "").split(",")
    return sum(hmac.compare_digest(digest, one.strip().encode()) for one in hashes) > 0


def read_body(request: Request) -> Document:
    """Read the body, as JSON or Extended JSON under either content type."""
    if not isinstance(request.body, str) or not request.body:
        raise Refusal(400, "MissingParameter", "the request has no body")
    try:
        text = base64.b64decode(request.body).decode() if request.is_base64 else request.body
        body = json.loads(text, object_hook=_from_extended, parse_constant=_refuse_constant)
    except Exception as error:  # json_util does not say what it raises for malformed Extended JSON
        message = f"the request's body is not valid JSON: {str(error)[:200]}"
        raise Refusal(400, "InvalidParameter", message) from error
    if not isinstance(body, dict):
        raise Refusal(400, "InvalidParameter", "the request's body must be an object")
    return body


def _from_extended(value: Document) -> Any:
    # To MongoDB $regex is an operator; json_util would make a value of it, without its neighbours.
    return value if "$regex" in value else json_util.object_hook(value, _EXTENDED)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


_EXTENDED = json_util.RELAXED_JSON_OPTIONS.with_options(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO
)


def read_fields(body: Document, fields: dict[str, Field]) -> Document:
    """Take an action's fields out of the body; null counts as absent."""
    values = {}
    for name, field in fields.items():
        value = body.get(name)
        if value is None:
            if field.default is None:
                raise Refusal(400, "MissingParameter", f"missing required field: {name}")
            value = field.default
        elif not _FITS[field.kind](value):
            raise Refusal(400, "InvalidParameter", f"{name} must be {field.kind}")
        values[name] = value
    return values


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


_FITS: dict[str, Callable[[Any], bool]] = {
    "a boolean": lambda value: isinstance(value, bool),
    "a non-empty string": lambda value: isinstance(value, str) and value != "",
    "a non-negative integer": lambda value: type(value) in (int, Int64) and value >= 0,
    "an array of objects": _are_objects,
    # As many as MongoDB itself takes at once; the ids of so many fit into an answer.
    "an array of 1 to 100,000 objects": lambda value: _are_objects(value) and 0 < len(value) <= 1e5,
    "an object": lambda value: isinstance(value, dict),
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
    global _client
    if _client is None:
        _client = new_client(context)
    try:
        # Under pymongo.timeout the search for a server may take all the time that there is. So,
        # where none is known to be up, search with a limit of its own first.
        if not _client.topology_description.has_readable_server(_client.read_preference):
            with pymongo.timeout(min(_SELECTION_S, time_left_s(context))):
                _client.admin.command("ping", read_preference=_client.read_preference)
        with pymongo.timeout(time_left_s(context)):
            yield _client
    except PyMongoError as error:
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
    refused = getattr(error, "code", None) in _CREDENTIALS_REFUSED
    if refused or error.timeout or isinstance(error, (ConnectionFailure, ConfigurationError)):
        return _unavailable(f"{type(error).__name__}: {message}")
    if "nInserted" in details:
        message += f" (documents inserted before it: {details['nInserted']})"
    code = "MongoDBError" if isinstance(error, OperationFailure) else "InvalidParameter"
    return Refusal(400, code, message)


def _unavailable(detail: str) -> Refusal:
    _log.error("database unavailable: %s", _one_line(detail))
    return Refusal(503, "ServiceUnavailable", "the database is unavailable")
