"""HTTP requests become events of API Gateway's payload format 2.0."""

from __future__ import annotations

import base64
import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.localcloud.aws import Aws
from tests.localcloud.clouds import Cloud
from tests.localcloud.http_apis import exchange, make_api, send

pytestmark = pytest.mark.integration

ECHO = "def handler(event, context): return event"


@pytest.fixture(scope="module")
def url(aws: Aws, cloud: Cloud) -> str:
    """URL of an API that answers every request with the event that it became."""
    arn = aws.arn(aws.function(ECHO))
    routes = ["ANY /any/{proxy+}", "POST /orders/{order}/items/{item}", "GET /only-get"]
    api_id = make_api(aws, dict.fromkeys(routes, arn))
    return f"{_root(cloud)}/{api_id}"


def _root(cloud: Cloud) -> str:
    return cloud.settings["API_URL"].rpartition("/")[0]


def _event(url: str, *arguments: Any, **named: Any) -> dict[str, Any]:
    reply = send(url, *arguments, **named)
    assert reply.status == 200, reply
    event: dict[str, Any] = reply.json
    return event


def test_the_event_has_the_caller_and_the_request(url: str) -> None:
    """Version, route, method, path, protocol, source and time are where API Gateway puts them."""
    event = _event(f"{url}/any/thing", "PUT", headers={"User-Agent": "a test"})
    assert event["version"] == "2.0"
    assert event["routeKey"] == event["requestContext"]["routeKey"] == "ANY /any/{proxy+}"
    assert event["rawPath"] == "/any/thing"
    context = event["requestContext"]
    assert context["http"] == {
        "method": "PUT",
        "path": "/any/thing",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "a test",
    }
    assert (context["accountId"], context["stage"]) == ("123456789012", "$default")
    assert context["apiId"] == url.rpartition("/")[2]
    assert context["requestId"] and context["timeEpoch"] > 0


def test_each_request_has_an_id_of_its_own(url: str) -> None:
    """requestContext.requestId differs from request to request."""
    ids = {_event(f"{url}/any/x")["requestContext"]["requestId"] for _ in range(3)}
    assert len(ids) == 3


def test_the_path_is_decoded(url: str) -> None:
    """rawPath holds the path's characters, not their percent-encoding."""
    event = _event(f"{url}/any/%C3%A9t%C3%A9/a%20b")
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == "/any/été/a b"


def test_the_query_string_comes_raw_and_decoded(url: str) -> None:
    """Repeated parameters are joined with commas; an empty one is kept."""
    query = "tag=a%20b&tag=c&empty=&plus=1%2B1&n=%C3%BC"
    event = _event(f"{url}/any/x?{query}")
    assert event["rawQueryString"] == query
    parameters = {"tag": "a b,c", "empty": "", "plus": "1+1", "n": "ü"}
    assert event["queryStringParameters"] == parameters


def test_what_is_not_there_is_left_out(url: str) -> None:
    """A bare request has no query parameters, cookies or body in its event."""
    event = _event(f"{url}/any/x")
    assert event["rawQueryString"] == "" and event["isBase64Encoded"] is False
    assert not {"queryStringParameters", "cookies", "body"} & event.keys()
    assert "content-type" not in event["headers"]


def test_header_names_are_in_lower_case(url: str) -> None:
    """Values stay as they are."""
    event = _event(f"{url}/any/x", headers={"X-Custom": "Some Value", "ApiKey": "Secret"})
    assert event["headers"]["x-custom"] == "Some Value"
    assert event["headers"]["apikey"] == "Secret"
    assert event["headers"]["host"] == urlsplit(url).netloc


def test_cookies_are_a_list(url: str) -> None:
    """Cookies come apart, and no longer among the headers."""
    event = _event(f"{url}/any/x", headers={"Cookie": "a=1; b=two"})
    assert event["cookies"] == ["a=1", "b=two"] and "cookie" not in event["headers"]


def test_path_parameters_come_by_name(url: str) -> None:
    """{name} takes one segment, {name+} all that follow."""
    event = _event(f"{url}/orders/7/items/x%20y", "POST")
    assert event["pathParameters"] == {"order": "7", "item": "x y"}
    assert _event(f"{url}/any/a/b")["pathParameters"] == {"proxy": "a/b"}


@pytest.mark.parametrize("kind", ["application/json", "application/ejson", "text/plain"])
def test_text_comes_as_text(url: str, kind: str) -> None:
    """JSON and text bodies are in the event as they were sent."""
    body = json.dumps({"grüße": "世界"}, ensure_ascii=False)
    event = _event(f"{url}/any/x", "POST", body.encode(), {"Content-Type": kind})
    assert (event["body"], event["isBase64Encoded"]) == (body, False)


@pytest.mark.parametrize("kind", ["application/octet-stream", "image/png", "text/plain"])
def test_bytes_come_in_base64(url: str, kind: str) -> None:
    """A binary type, or a text type with bytes that are no text."""
    body = bytes(range(256))
    event = _event(f"{url}/any/x", "POST", body, {"Content-Type": kind})
    assert event["isBase64Encoded"] is True and base64.b64decode(event["body"]) == body


def test_a_large_body_gets_through(url: str) -> None:
    """2 MB arrive whole."""
    body = b'"' + b"x" * 2_000_000 + b'"'
    event = _event(f"{url}/any/x", "POST", body, {"Content-Type": "application/json"})
    assert event["body"].encode() == body


@pytest.mark.parametrize("size", [7_000_000, 11_000_000])
def test_a_body_that_is_too_large_is_refused(url: str, size: int) -> None:
    """Lambda takes events of up to 6 MB, API Gateway requests of up to 10 MB: 413 for more."""
    reply = send(f"{url}/any/x", "POST", b"x" * size, {"Content-Type": "text/plain"})
    assert (reply.status, reply.json) == (413, {"message": "Request Entity Too Large"})


def test_a_chunked_body_gets_through(url: str) -> None:
    """A body of unknown length is read to its end."""
    place = urlsplit(url)
    connection = HTTPConnection(place.netloc, timeout=600)
    chunks = (b"chunk %d," % number for number in range(3))
    connection.request("POST", f"{place.path}/any/x", chunks, {"Content-Type": "text/plain"})
    with connection.getresponse() as response:
        assert json.load(response)["body"] == "chunk 0,chunk 1,chunk 2,"
    connection.close()


def test_a_client_that_keeps_its_connection_gets_every_answer(url: str) -> None:
    """Request after request, also after one with a body that nobody read because of a 404."""
    place = urlsplit(url)
    connection = HTTPConnection(place.netloc, timeout=600)
    body = b"GET /never HTTP/1.1\r\n" * 10
    for _ in range(3):
        assert exchange(connection, f"{place.path}/any/x").status == 200
        assert exchange(connection, f"{place.path}/no/route", "POST", body).status == 404
        posted = exchange(connection, f"{place.path}/any/x", "POST", body)
        assert base64.b64decode(posted.json["body"]) == body
    connection.close()


def test_a_head_request_is_answered_without_a_body(url: str) -> None:
    """The function sees HEAD, and its answer's headers come, not its body."""
    reply = send(f"{url}/any/x", "HEAD")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.header("content-type") == "application/json"
