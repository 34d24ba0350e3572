"""The events of API Gateway and function URLs, and the answers that they take."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from pymongo.collection import Collection

from scratch import events
from scratch.events import KEY
from tests.support.handler import Container, Document

HEALTH = "/api/health"


@pytest.mark.parametrize("make_event", events.ALL)
def test_every_service_reaches_the_database(
    container: Container, collection: Collection[Document], make_event: events.EventMaker
) -> None:
    """A request means the same, whichever service brings it."""
    written = container.act(
        "insertOne", collection, document={"_id": "naïve ☃"}, make_event=make_event
    )
    read = container.act("findOne", collection, make_event=make_event)
    health = container.call("GET", HEALTH, make_event=make_event)

    assert (written.status, read.status, health.status) == (201, 200, 200)
    assert read.json == {"document": {"_id": "naïve ☃"}}


@pytest.mark.parametrize("make_event", events.ALL)
def test_api_gateway_and_function_urls_take_plain_headers(
    container: Container, make_event: events.EventMaker
) -> None:
    """The answer is the proxy response that these services document, and nothing more."""
    response = container.call("GET", HEALTH, make_event=make_event).response

    assert set(response) == {"statusCode", "headers", "body", "isBase64Encoded"}
    assert response["headers"] == {"Content-Type": "application/json"}
    assert response["isBase64Encoded"] is False


@pytest.mark.parametrize("make_event", events.ALL)
def test_bodies_in_base64_are_read(
    container: Container, collection: Collection[Document], make_event: events.EventMaker
) -> None:
    """Services encode bodies whose content type they take for binary."""
    body = {
        "dataSource": "mongodb",
        "database": collection.database.name,
        "collection": collection.name,
        "document": {"_id": "naïve ☃"},
    }
    encoded = base64.b64encode(json.dumps(body, ensure_ascii=False).encode()).decode()
    headers = {"apiKey": KEY, "Content-Type": "application/ejson"}
    path = "/api/data/v1/action/insertOne"
    reply = container.invoke(make_event("POST", path, headers, encoded, base64=True))

    assert (reply.status, reply.json) == (201, {"insertedId": "naïve ☃"})


@pytest.mark.parametrize("name", ["apiKey", "APIKEY", "api-key", "API-Key"])
@pytest.mark.parametrize("make_event", [events.http_api, events.rest_api])
def test_header_names_have_no_case(
    container: Container, make_event: events.EventMaker, name: str
) -> None:
    """Some services lower header names, others hand on what the client wrote."""
    path = "/api/data/v1/action/findOne"
    reply = container.call("POST", path, headers={name: KEY}, make_event=make_event)

    assert reply.json["error_code"] == "MissingParameter"
    assert "body" in reply.json["error"]


@pytest.mark.parametrize("stage", ["staging", "api"])
def test_a_named_stage_is_no_part_of_the_path(
    container: Container, capsys: pytest.CaptureFixture[str], stage: str
) -> None:
    """An HTTP API puts its stage before the path, unless that is $default."""
    reply = container.invoke(events.http_api("GET", HEALTH, {}, None, stage=stage))

    assert reply.status == 200
    output, text = capsys.readouterr().out.splitlines()
    assert output == "Method: GET, Path: /api/health"
    assert json.loads(text)["path"] == HEALTH


FIND_ONE = "/api/data/v1/action/findOne"


@pytest.mark.parametrize(
    ("path", "known_as"),
    [
        ("/api/health", HEALTH),
        ("/v9/api/health", HEALTH),
        ("/shop/v9/api/health", HEALTH),
        ("/prod_2/api/data/v1/action/findOne", FIND_ONE),
        ("/api/data/beta/action/findOne", FIND_ONE),
        ("/app/data-abcde/endpoint/data/v1/action/findOne", FIND_ONE),
        ("/app/data-abcde/endpoint/data/beta/action/findOne", FIND_ONE),
        ("/v9/app/data-abcde/endpoint/data/v1/action/findOne", FIND_ONE),
    ],
)
@pytest.mark.parametrize("make_event", events.ALL)
def test_what_stands_before_the_api_s_own_path_does_not_matter(
    container: Container,
    collection: Collection[Document],
    capsys: pytest.CaptureFixture[str],
    make_event: events.EventMaker,
    path: str,
    known_as: str,
) -> None:
    """A stage, a custom domain's base path, the hosted API's addresses; the log has one name."""
    body = {"dataSource": "x", "database": collection.database.name, "collection": "things"}
    method = "GET" if known_as == HEALTH else "POST"
    reply = container.call(
        method, path, headers={"apiKey": KEY}, body=json.dumps(body), make_event=make_event
    )

    assert reply.status == 200
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"Method: {method}, Path: {known_as}"
    assert json.loads(second)["path"] == known_as


@pytest.mark.parametrize("make_event", events.ALL)
def test_head_is_answered_as_get_without_the_body(
    container: Container, make_event: events.EventMaker
) -> None:
    """Some monitors send HEAD; RFC 9110 wants it wherever there is GET."""
    reply = container.call("HEAD", HEALTH, make_event=make_event)

    assert (reply.status, reply.text) == (200, "")
    assert reply.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("make_event", events.ALL)
@pytest.mark.parametrize(
    "path",
    [
        *("/", "/api", "/api/health/", "/API/health", "/api/data/v1/action/dropDatabase"),
        *("find", "/find", "/apihealth", "/x/data/v1/action/find", "//api/health"),
        *("/api/data/v2/action/find", "/app//endpoint/data/v1/action/find", "/api/openapi.json"),
        *("/app/data-abcde/endpoint/location", "/api/data/v1/action/"),
    ],
)
def test_unknown_paths_are_404(
    container: Container, make_event: events.EventMaker, path: str
) -> None:
    """What is no route is not found, with or without a key."""
    reply = container.call("POST", path, headers={"apiKey": KEY}, make_event=make_event)

    assert (reply.status, reply.json["error_code"]) == (404, "NotFound")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", HEALTH, "GET, HEAD"),
        ("GET", "/api/data/v1/action/find", "POST"),
        ("DELETE", "/api/data/v1/action/deleteOne", "POST"),
    ],
)
def test_other_methods_are_405_and_named(
    container: Container, method: str, path: str, allowed: str
) -> None:
    """A known path with another method says which one it takes."""
    reply = container.call(method, path, headers={"apiKey": KEY})

    assert (reply.status, reply.headers["Allow"]) == (405, allowed)
    assert reply.json["error_code"] == "MethodNotAllowed"


@pytest.mark.parametrize(("path", "allowed"), [(HEALTH, "GET, HEAD"), (FIND_ONE, "POST")])
@pytest.mark.parametrize("make_event", events.ALL)
def test_options_names_the_methods(
    container: Container, make_event: events.EventMaker, path: str, allowed: str
) -> None:
    """Without a key, as browsers ask. The headers for CORS are added by API Gateway."""
    reply = container.call("OPTIONS", path, make_event=make_event)

    assert (reply.status, reply.text, reply.headers["Allow"]) == (204, "", allowed)
    assert container.call("OPTIONS", "/api/nothing", make_event=make_event).status == 404


@pytest.mark.parametrize(
    "event",
    [
        {},
        None,
        [],
        "GET /api/health",
        {"key1": "value1", "key2": "value2"},
        {"version": "2.0"},
        {"version": "2.0", "rawPath": HEALTH, "requestContext": {"http": None}},
        {"version": "2.0", "rawPath": None, "requestContext": {"http": {"method": "GET"}}},
        {"httpMethod": "GET", "path": 7},
        {"Records": [{"eventSource": "aws:sqs", "body": "x"}]},
    ],
)
def test_an_event_without_http_is_answered_400(container: Container, event: Any) -> None:
    """Someone who presses "Test" in the console gets an answer, not an exception."""
    reply = container.invoke(event)

    assert (reply.status, reply.json["error_code"]) == (400, "InvalidParameter")


@pytest.mark.parametrize("key", ["headers", "requestContext", "body"])
@pytest.mark.parametrize("value", [None, [], "x", 7, {"a": None}, {"apiKey": [KEY]}])
@pytest.mark.parametrize("make_event", [events.http_api, events.rest_api])
def test_a_damaged_event_is_answered(
    container: Container, make_event: events.EventMaker, key: str, value: Any
) -> None:
    """Whatever an event holds, the answer is the caller's fault, and well-formed."""
    event = make_event("POST", "/api/data/v1/action/findOne", {"apiKey": KEY}, "{}")
    reply = container.invoke({**event, key: value})

    assert reply.status in {400, 401}
