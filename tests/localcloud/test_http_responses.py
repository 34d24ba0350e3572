"""What a function returns becomes an HTTP response; what goes wrong becomes API Gateway's own."""

from __future__ import annotations

import base64

import pytest

from tests.localcloud.aws import Aws
from tests.localcloud.clouds import Cloud
from tests.localcloud.http_apis import Reply, make_api, send

pytestmark = pytest.mark.integration

# Returns what the request's body says, which is a Python expression.
ANSWERING = "def handler(event, context): return eval(event['body'])"
WHICH_ROUTE = "def handler(event, context): return {'route': event['routeKey']}"
VERSION = "def handler(event, context): return {'version': context.function_version}"


def _root(cloud: Cloud) -> str:
    return cloud.settings["API_URL"].rpartition("/")[0]


@pytest.fixture(scope="module")
def url(aws: Aws, cloud: Cloud) -> str:
    """URL of an API with a function that returns what the request has."""
    return f"{_root(cloud)}/{make_api(aws, {'$default': aws.arn(aws.function(ANSWERING))})}/"


def _ask(url: str, returned: object) -> Reply:
    body = returned if isinstance(returned, str) else repr(returned)
    return send(url, "POST", body.encode(), {"Content-Type": "text/plain"})


def test_status_headers_and_body_are_the_functions(url: str) -> None:
    """What it returned is what the client gets."""
    returned = {"statusCode": 418, "headers": {"X-Pot": "short", "X-N": 2}, "body": "grüße"}
    reply = _ask(url, returned)
    assert (reply.status, reply.body) == (418, "grüße".encode())
    assert (reply.header("x-pot"), reply.header("x-n")) == ("short", "2")
    assert reply.header("content-type") == "text/plain;charset=utf-8"


def test_the_functions_content_type_counts(url: str) -> None:
    """There is one content type, the one that the function named."""
    returned = {"statusCode": 200, "headers": {"Content-Type": "application/ejson"}, "body": "{}"}
    types = [value for name, value in _ask(url, returned).headers if name == "content-type"]
    assert types == ["application/ejson"]


def test_each_cookie_gets_a_header(url: str) -> None:
    """`cookies` become as many Set-Cookie headers."""
    reply = _ask(url, {"statusCode": 200, "cookies": ["a=1; Secure", "b=2"], "body": ""})
    cookies = [value for name, value in reply.headers if name == "set-cookie"]
    assert cookies == ["a=1; Secure", "b=2"]


def test_base64_is_decoded(url: str) -> None:
    """With isBase64Encoded, the client gets the bytes."""
    body = bytes(range(256))
    returned = {
        "statusCode": 200,
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
    assert _ask(url, returned).body == body


@pytest.mark.parametrize("returned", [{"some": "thing"}, [1, 2], None, 5])
def test_anything_without_a_status_is_a_200_with_json(url: str, returned: object) -> None:
    """Format 2.0 takes whatever the function returned for the body."""
    reply = _ask(url, returned)
    assert (reply.status, reply.json) == (200, returned)
    assert reply.header("content-type") == "application/json"


@pytest.mark.parametrize("returned", [{"statusCode": 204}, {"statusCode": 200, "body": None}])
def test_a_missing_body_is_empty(url: str, returned: object) -> None:
    """A status alone is an answer."""
    assert _ask(url, returned).body == b""


@pytest.mark.parametrize(
    "returned",
    [
        "1 / 0",
        "__import__('os')._exit(1)",
        {"statusCode": "many"},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "body": "not base64!", "isBase64Encoded": True},
        {"statusCode": 200, "headers": {"X-Split": "a\r\nSet-Cookie: b=1"}},
        {"statusCode": 200, "headers": "none"},
    ],
)
def test_what_is_no_answer_is_an_internal_server_error(url: str, returned: object) -> None:
    """An error of the function, or a malformed answer, is API Gateway's 500; no detail gets out."""
    reply = _ask(url, returned)
    assert (reply.status, reply.json) == (500, {"message": "Internal Server Error"})
    assert reply.header("content-type") == "application/json"
    assert reply.header("set-cookie") is None


@pytest.mark.parametrize("path", ["no-such-api/x", "", "{api}/other", "{api}"])
def test_what_is_not_there_is_not_found(aws: Aws, cloud: Cloud, path: str) -> None:
    """An unknown API, and a path that no route takes, are API Gateway's 404."""
    api_id = make_api(aws, {"GET /here": aws.arn(aws.function(WHICH_ROUTE))})
    reply = send(f"{_root(cloud)}/{path.format(api=api_id)}")
    assert (reply.status, reply.json) == (404, {"message": "Not Found"})


def test_a_method_that_no_route_takes_is_not_found(aws: Aws, cloud: Cloud) -> None:
    """API Gateway says 404 here, too."""
    api_id = make_api(aws, {"GET /here": aws.arn(aws.function(WHICH_ROUTE))})
    assert send(f"{_root(cloud)}/{api_id}/here").status == 200
    assert send(f"{_root(cloud)}/{api_id}/here", "POST").status == 404


def test_an_api_answers_by_id_name_and_endpoint(aws: Aws, cloud: Cloud) -> None:
    """The first segment is the API's id or its name; ApiEndpoint is where it answers."""
    api_id = make_api(aws, {"GET /here": aws.arn(aws.function(WHICH_ROUTE))})
    api = aws.apis.get_api(ApiId=api_id)
    for url in (f"{_root(cloud)}/{api_id}", f"{_root(cloud)}/{api['Name']}", api["ApiEndpoint"]):
        assert send(f"{url}/here").status == 200


@pytest.mark.parametrize("source_arn", [None, "{api}x/*/*", "{api}/*/POST/here"])
def test_a_function_that_does_not_permit_it_is_not_called(
    aws: Aws, cloud: Cloud, source_arn: str | None
) -> None:
    """No permission, one for another API, or for another route: 500, and no call."""
    name = aws.function(WHICH_ROUTE)
    api_id = make_api(aws, {"GET /here": aws.arn(name)}, source_arn)
    assert send(f"{_root(cloud)}/{api_id}/here").status == 500
    assert aws.total("Invocations", FunctionName=name) == 0


@pytest.mark.parametrize("source_arn", ["{api}/*/*", "{api}/*/GET/here", "{api}/$default/*", "*"])
def test_a_permission_for_the_route_is_enough(aws: Aws, cloud: Cloud, source_arn: str) -> None:
    """SourceArn is a pattern, as narrow as a person made it."""
    routes = {"GET /here": aws.arn(aws.function(WHICH_ROUTE))}
    assert send(f"{_root(cloud)}/{make_api(aws, routes, source_arn)}/here").status == 200


def test_a_permission_for_the_function_is_none_for_its_alias(aws: Aws, cloud: Cloud) -> None:
    """An alias needs a statement of its own."""
    name = aws.versions(VERSION)
    aws.functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    api_id = make_api(aws, {"GET /": f"{aws.arn(name)}:live"}, source_arn=None)
    aws.functions.add_permission(
        FunctionName=name,
        StatementId="unqualified",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    assert send(f"{_root(cloud)}/{api_id}/").status == 500


@pytest.mark.parametrize("form", ["{arn}", "{prefix}/{arn}/invocations"])
def test_an_integration_with_an_alias_runs_the_aliass_version(
    aws: Aws, cloud: Cloud, form: str
) -> None:
    """The integration's URI is the function's ARN, or its invocation URI as Terraform writes it."""
    name = aws.versions(VERSION)
    aws.functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    prefix = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions"
    api_id = make_api(aws, {"GET /": f"{aws.arn(name)}:live"})
    [integration] = aws.apis.get_integrations(ApiId=api_id)["Items"]
    aws.apis.update_integration(
        ApiId=api_id,
        IntegrationId=integration["IntegrationId"],
        IntegrationUri=form.format(prefix=prefix, arn=f"{aws.arn(name)}:live"),
    )
    assert send(f"{_root(cloud)}/{api_id}/").json == {"version": "1"}


@pytest.mark.parametrize(
    ("request_", "route"),
    [
        ("GET /pets/dog/1", "GET /pets/dog/1"),
        ("GET /pets/dog/2", "GET /pets/dog/{id}"),
        ("GET /pets/cat/2", "GET /pets/{kind}/{id}"),
        ("POST /pets/dog/2", "ANY /pets/dog/{id}"),
        ("GET /pets/cat", "GET /pets/{proxy+}"),
        ("POST /test/5", "ANY /{proxy+}"),
        ("GET /", "$default"),
    ],
)
def test_the_most_specific_route_wins(routes_api: str, request_: str, route: str) -> None:
    """A full match before a greedy one before $default, whatever the order they were made in."""
    method, path = request_.split()
    assert send(routes_api + path, method).json == {"route": route}


@pytest.fixture(scope="module")
def routes_api(aws: Aws, cloud: Cloud) -> str:
    """URL of an API with many routes that fit the same paths."""
    keys = ["$default", "ANY /{proxy+}", "GET /pets/{proxy+}", "GET /pets/{kind}/{id}"]
    keys += ["ANY /pets/dog/{id}", "GET /pets/dog/{id}", "GET /pets/dog/1"]
    api_id = make_api(aws, dict.fromkeys(keys, aws.arn(aws.function(WHICH_ROUTE))))
    return f"{_root(cloud)}/{api_id}"
