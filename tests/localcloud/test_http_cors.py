"""CORS of an HTTP API: preflight requests, and the headers of answers."""

from __future__ import annotations

import pytest

from tests.localcloud.aws import Aws
from tests.localcloud.clouds import Cloud
from tests.localcloud.http_apis import Reply, make_api, send

pytestmark = pytest.mark.integration

ORIGIN = "https://app.example.com"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "apikey",
}
# What a function says of CORS itself must not get through.
ANSWER = {
    "statusCode": 201,
    "headers": {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "TRACE",
        "x": "y",
    },
}


@pytest.fixture(scope="module")
def url(aws: Aws, cloud: Cloud) -> str:
    """URL of an API with CORS configured for two origins."""
    arn = aws.arn(aws.function(f"def handler(event, context): return {ANSWER!r}"))
    api_id = make_api(aws, {"POST /post": arn, "ANY /any/{proxy+}": arn})
    aws.apis.update_api(
        ApiId=api_id,
        CorsConfiguration={
            "AllowOrigins": [ORIGIN, "http://localhost:3000"],
            "AllowMethods": ["GET", "POST"],
            "AllowHeaders": ["apikey", "content-type"],
            "MaxAge": 3600,
        },
    )
    return f"{cloud.settings['API_URL'].rpartition('/')[0]}/{api_id}"


def cors(reply: Reply) -> dict[str, str]:
    """Return the headers of an answer that are about CORS."""
    return {name: value for name, value in reply.headers if name.startswith("access-control-")}


def test_a_preflight_request_is_answered_without_a_route(url: str) -> None:
    """API Gateway answers it itself; the function is not called."""
    reply = send(f"{url}/post", "OPTIONS", headers=PREFLIGHT)
    assert (reply.status, reply.body) == (204, b"")
    assert cors(reply) == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-methods": "GET,POST",
        "access-control-allow-headers": "apikey,content-type",
        "access-control-max-age": "3600",
    }


def test_an_options_request_that_is_no_preflight_is_not_found(url: str) -> None:
    """Without the method that is requested it is an ordinary request, and has no route."""
    assert send(f"{url}/post", "OPTIONS", headers={"Origin": ORIGIN}).status == 404


def test_a_route_that_takes_options_gets_it(url: str) -> None:
    """ANY does; the headers are the configuration's all the same."""
    reply = send(f"{url}/any/thing", "OPTIONS", headers=PREFLIGHT)
    assert (reply.status, cors(reply)["access-control-allow-methods"]) == (201, "GET,POST")


def test_an_answer_gets_the_configured_headers_and_loses_the_functions(url: str) -> None:
    """Of one that the function gave: other headers stay."""
    reply = send(f"{url}/post", "POST", headers={"Origin": ORIGIN})
    assert (reply.status, reply.header("x")) == (201, "y")
    assert cors(reply) == {"access-control-allow-origin": ORIGIN}


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{ORIGIN}.evil.example"])
def test_another_origin_gets_no_headers(url: str, origin: str) -> None:
    """So its browser keeps the answer from the page."""
    for method, path in (("POST", "post"), ("OPTIONS", "post"), ("POST", "any/thing")):
        reply = send(f"{url}/{path}", method, headers=PREFLIGHT | {"Origin": origin})
        assert cors(reply) == {}
