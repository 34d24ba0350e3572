"""A container as Lambda has it: the handler imported once, and given events."""

from __future__ import annotations

import importlib.util
import json
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pymongo
from pymongo.collection import Collection

from scratch import events
from scratch.events import KEY

_HANDLER = Path(__file__).parents[2] / "lambda_function.py"
_PAYLOAD_LIMIT_BYTES = 6_291_556

type Document = dict[str, Any]
# The minimal body of each action, apart from its collection.
EVERY_ACTION: dict[str, Document] = {
    "findOne": {},
    "find": {},
    "insertOne": {"document": {}},
    "insertMany": {"documents": [{}]},
    "updateOne": {"filter": {}, "update": {"$set": {"a": 1}}},
    "updateMany": {"filter": {}, "update": {"$set": {"a": 1}}},
    "replaceOne": {"filter": {}, "replacement": {}},
    "deleteOne": {"filter": {}},
    "deleteMany": {"filter": {}},
    "aggregate": {"pipeline": []},
}


class Context:
    """Lambda's context object, with a deadline that really comes nearer."""

    aws_request_id = "c3d4"
    function_version = "7"

    def __init__(self, limit_s: float, qualifier: str | None = "live") -> None:
        arn = ["arn:aws:lambda:eu-central-1:123456789012:function:mongo-client", qualifier]
        self.invoked_function_arn = ":".join(filter(None, arn))
        self._deadline = time.monotonic() + limit_s

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds left; negative when Lambda would have ended the invocation."""
        return int((self._deadline - time.monotonic()) * 1_000)


@dataclass(frozen=True)
class Reply:
    """What the caller of the service gets, and the response that it was read from."""

    status: int
    headers: dict[str, str]
    text: str
    response: Document
    time_left_s: float

    @property
    def json(self) -> Any:
        """The body, read as plain JSON."""
        return json.loads(self.text)


class Container:
    """One execution environment: the module, imported afresh, and what it keeps."""

    def __init__(self) -> None:
        spec = importlib.util.spec_from_file_location("lambda_function", _HANDLER)
        assert spec and spec.loader
        self.module: ModuleType = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)

    def invoke(self, event: Any, limit_s: float = 10, qualifier: str | None = "live") -> Reply:
        """Hand an event to the handler, and check that Lambda could hand on the answer."""
        context = Context(limit_s, qualifier)
        response = self.module.lambda_handler(event, context)
        time_left_s = context.get_remaining_time_in_millis() / 1_000
        # AWS's runtime for python3.13 writes the response so (awslambdaric).
        payload = json.dumps(response, ensure_ascii=False).encode()
        assert len(payload) <= _PAYLOAD_LIMIT_BYTES
        assert time_left_s > 0, "Lambda would have ended this invocation"
        status, headers, body = response["statusCode"], response["headers"], response["body"]
        return Reply(status, headers, body, response, time_left_s)

    def call(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        body: str | None = None,
        make_event: events.EventMaker = events.http_api,
        limit_s: float = 10,
    ) -> Reply:
        """Send a request through one of AWS's services."""
        return self.invoke(make_event(method, path, headers or {}, body), limit_s)

    def act(
        self,
        action: str,
        collection: Collection[Document],
        *,
        accept: str = "application/json",
        make_event: events.EventMaker = events.http_api,
        limit_s: float = 10,
        **fields: Any,
    ) -> Reply:
        """Call an action of the Data API on a collection, with the key."""
        target = {
            "dataSource": "mongodb",
            "database": collection.database.name,
            "collection": collection.name,
        }
        return self.call(
            "POST",
            f"/api/data/v1/action/{action}",
            headers={"apiKey": KEY, "Content-Type": "application/json", "Accept": accept},
            body=json.dumps({**target, **fields}),
            make_event=make_event,
            limit_s=limit_s,
        )

    def health(self, limit_s: float = 10) -> Reply:
        """Call the health route."""
        return self.call("GET", "/api/health", limit_s=limit_s)

    def close(self) -> None:
        """Close the client that the container kept, as the end of a real one does."""
        if self.module._client:
            with pymongo.timeout(0.1):  # the server may be gone already
                self.module._client.close()
