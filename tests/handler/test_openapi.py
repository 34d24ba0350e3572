"""docs/openapi.yaml: whether it describes the handler as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
import yaml
from pymongo.collection import Collection

from lambda_function import ACTIONS
from scratch.events import KEY
from scratch.source import ROOT
from tests.support.handler import EVERY_ACTION, Container, Document, Reply

PLAIN, EXTENDED = "application/json", "application/ejson"
ACTION = "/api/data/v1/action/"
# Values of all the kinds that a field may have, and of some that none may.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 10.0, 1.5, -1, 2**31 - 1, 2**31, "", "x", {}, {"a": 1}, [], [{}]),
    *([1], [{}, None], [{}] * 100_000, [{}] * 100_001),
)


@pytest.fixture(scope="module")
def described() -> Document:
    """The description."""
    described: Document = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
    return described


def resolved(described: Document, part: Document) -> Document:
    """Return what a reference of the description names; any other part as it is."""
    if "$ref" not in part:
        return part
    for name in part["$ref"].removeprefix("#/").split("/"):
        described = described[name]
    return described


def is_valid(described: Document, schema: Document, value: Any) -> bool:
    """Return whether a value fits a schema of the description."""
    # References begin at the root of the document, so the schema gets its parts.
    whole = {"components": described["components"], **schema}
    return bool(jsonschema.Draft202012Validator(whole).is_valid(value))


def body_of(described: Document, action: str, media_type: str = PLAIN) -> Document:
    """Return the schema of an action's request."""
    operation = described["paths"][ACTION + action]["post"]
    body = resolved(described, operation["requestBody"])
    assert body["required"] is True
    schema: Document = body["content"][media_type]["schema"]
    return schema


def assert_as_described(described: Document, path: str, method: str, reply: Reply) -> None:
    """Check an answer's status, content type, headers and body against the description."""
    answer = described["paths"][path][method]["responses"][str(reply.status)]
    answer = resolved(described, answer)
    schema = answer["content"][reply.headers["Content-Type"]]["schema"]
    assert is_valid(described, schema, reply.json), (reply, schema)
    assert set(answer.get("headers", {})) <= set(reply.headers)


@pytest.mark.parametrize("media_type", [PLAIN, EXTENDED])
@pytest.mark.parametrize("action", ACTIONS)
def test_every_field_is_described_as_the_handler_takes_it(
    described: Document, action: str, media_type: str
) -> None:
    """Its name, whether it is required, its default, and which values it takes."""
    schema = body_of(described, action, media_type)
    fields = ACTIONS[action].fields
    assert set(schema["properties"]) == set(fields)
    assert set(schema["required"]) == {name for name, f in fields.items() if f.default is None}
    for name, field in fields.items():
        described_field = schema["properties"][name]
        assert described_field.get("default") == field.default
        for value in VALUES:
            taken = field.default is not None if value is None else field.fits(value)
            assert is_valid(described, described_field, value) == taken, (name, str(value)[:50])


def test_every_route_is_described_with_the_method_that_it_takes(
    container: Container, described: Document
) -> None:
    """And no other: what is described is answered, with something else than 404 and 405."""
    assert described["openapi"].startswith("3.1.")
    assert set(described["paths"]) == {"/api/health", *(ACTION + action for action in ACTIONS)}
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
    schema = body_of(described, action, accept)
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

    assert statuses == [400, 401, 400, 415, 503, 400, 500]
    assert_as_described(described, "/api/health", "get", new_container().health(limit_s=1))
