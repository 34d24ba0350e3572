"""GET /api/openapi.json: the description, and whether the answers are as it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from pymongo.collection import Collection

from scratch.events import KEY
from tests.support.handler import EVERY_ACTION, Container, Document, Reply

PLAIN, EXTENDED = "application/json", "application/ejson"
ACTION = "/api/data/v1/action/"


@pytest.fixture
def described(container: Container) -> Document:
    """The description, which needs no key."""
    reply = container.call("GET", "/api/openapi.json")
    assert (reply.status, reply.headers["Content-Type"]) == (200, PLAIN)
    described: Document = reply.json
    return described


def assert_as_described(described: Document, path: str, method: str, reply: Reply) -> None:
    """Check an answer's status, content type, headers and body against the description."""
    answer = described["paths"][path][method]["responses"][str(reply.status)]
    if reference := answer.get("$ref"):
        assert reference == f"#/components/responses/{reply.status}"
        answer = described["components"]["responses"][str(reply.status)]
    schema = answer["content"][reply.headers["Content-Type"]]["schema"]
    jsonschema.validate(reply.json, schema, jsonschema.Draft202012Validator)
    assert set(answer["headers"]) <= set(reply.headers)


def test_every_route_is_described_with_the_method_that_it_takes(
    container: Container, described: Document
) -> None:
    """And no other: what is described is answered, with something else than 404 and 405."""
    assert described["openapi"].startswith("3.1.")
    assert set(described["paths"]) == {
        "/api/health",
        "/api/openapi.json",
        *(ACTION + action for action in EVERY_ACTION),
    }
    for path, operations in described["paths"].items():
        [method] = operations
        assert container.call(method.upper(), path, body="{}").status not in (404, 405)


@pytest.mark.parametrize("accept", [PLAIN, EXTENDED])
@pytest.mark.parametrize("action", EVERY_ACTION)
def test_every_action_answers_as_described(
    container: Container,
    collection: Collection[Document],
    described: Document,
    action: str,
    accept: str,
) -> None:
    """In either format; a request with each required field missing in turn is refused so, too."""
    fields: dict[str, Any] = EVERY_ACTION[action]
    schema = described["paths"][ACTION + action]["post"]["requestBody"]["content"][accept]["schema"]
    required = {"dataSource", "database", "collection", *fields}
    assert set(schema["required"]) == required
    replies = [container.act(action, collection, accept=accept, **fields)]
    if "upsert" in schema["properties"]:
        for _ in range(2):
            changed = fields | {"filter": {"_id": 7}, "upsert": True}
            replies.append(container.act(action, collection, accept=accept, **changed))
    assert {reply.status for reply in replies} <= {200, 201}
    body = {"dataSource": "x", "database": collection.database.name, "collection": "c", **fields}
    for name in required:
        text = json.dumps(body | {name: None})
        replies.append(container.call("POST", ACTION + action, headers={"apiKey": KEY}, body=text))
        assert replies[-1].status == 400
    for reply in replies:
        assert_as_described(described, ACTION + action, "post", reply)


def test_refusals_and_failures_are_as_described(
    new_container: Callable[[], Container], described: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each status that the description has for errors is met once."""
    path = ACTION + "find"
    body = json.dumps({"dataSource": "x", "database": "d", "collection": "c"})
    monkeypatch.setenv("MONGODB_URI", "mongodb://nowhere.invalid/")

    def post(headers: Document, body: str = body) -> int:
        # A container of its own: variables are read once.
        reply = new_container().call("POST", path, headers=headers, body=body, limit_s=1)
        assert_as_described(described, path, "post", reply)
        return reply.status

    key = {"apiKey": KEY}
    statuses = [post(key, "{"), post({"apiKey": "wrong"}), post(key, body.replace("d", "admin", 1))]
    statuses += [post(key | {"Content-Type": "text/plain"}), post(key)]
    monkeypatch.setenv("DATA_SOURCE", "y")
    statuses.append(post(key))
    monkeypatch.setenv("API_KEYS", "{")
    statuses.append(post(key))

    assert statuses == [400, 401, 400, 415, 503, 404, 500]
    assert_as_described(described, "/api/health", "get", new_container().health(limit_s=1))


def test_the_description_names_no_secret(
    new_container: Callable[[], Container], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is open to everybody, so it is the same whatever is configured."""
    before = new_container().call("GET", "/api/openapi.json").text
    for name in ("API_KEYS", "DATA_SOURCE", "JWT_ISSUER", "ALLOWED_OPERATORS", "MONGODB_URI"):
        monkeypatch.setenv(name, "a-secret")

    assert new_container().call("GET", "/api/openapi.json").text == before
