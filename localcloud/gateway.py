"""API Gateway's HTTP front: a request becomes an event for the API's integration, and back.

The first segment of a path names the API, by its id, its name, or a custom domain that is mapped to
it: /mongo-client-local/api/health.
Source of both shapes: API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP
APIs" (payload format version 2.0).
"""

from __future__ import annotations

import base64
import json
import re
import time
import traceback
import uuid
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any, cast
from wsgiref.types import StartResponse, WSGIEnvironment

from moto.apigatewayv2.models import Api, ApiGatewayV2Backend, Route, apigatewayv2_backends
from moto.awslambda.models import LambdaBackend, lambda_backends
from moto.cloudwatch.models import cloudwatch_backends
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

from localcloud.runtime.invoker import MAX_EVENT_BYTES, Functions, ThrottledError

# The largest request that API Gateway takes, in bytes: "Quotas for HTTP APIs".
_MAX_REQUEST_BYTES = 10 * 1024 * 1024
_CORS = "access-control-"
_TEXT = re.compile(r"text/|application/(json|javascript|xml|.*\+json|ejson)")


class HttpApi:
    """A WSGI application in front of every HTTP API of one account and region."""

    def __init__(self, functions: Functions, account_id: str, region: str) -> None:
        self._functions = functions
        self._account_id = account_id
        self._region = region

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = _MAX_REQUEST_BYTES
        name = request.path.lstrip("/").partition("/")[0]
        api = self._find_api(name)
        try:
            if api is None and name in self._apis.domain_names:
                response = _message(403, "Forbidden")  # no API is mapped to it
            else:
                response = self._respond(api, request)
        except RequestEntityTooLarge:
            response = _message(413, "Request Entity Too Large")
        except Exception:
            # API Gateway answers this for every error behind it, without the reason.
            traceback.print_exc()
            response = _message(500, "Internal Server Error")
        if api and response.status_code >= 500:
            self._count_5xx(api)
        return response(environ, start)

    def _count_5xx(self, api: Api) -> None:
        """Write the metric that API Gateway has of it: "Monitor HTTP API metrics"."""
        dimensions = [{"Name": "ApiId", "Value": api.api_id}]
        datum = {"MetricName": "5xx", "Dimensions": dimensions, "Value": 1.0, "Unit": "Count"}
        backend = cloudwatch_backends[self._account_id][self._region]
        backend.put_metric_data("AWS/ApiGateway", [datum])

    def _respond(self, api: Api | None, request: Request) -> Response:
        path = "/" + request.path.lstrip("/").partition("/")[2]
        if api is None or "$default" not in api.stages:
            return _message(404, "Not Found")
        cors = _cors_headers(api, request)
        if (found := _find_route(api, request.method, path)) is None:
            preflight = cors is not None and "Access-Control-Request-Method" in request.headers
            return Response("", 204, cors) if preflight else _message(404, "Not Found")
        response = self._call(api, request, path, *found)
        if cors is not None:
            for name in [
                name for name in response.headers.keys() if name.lower().startswith(_CORS)
            ]:
                del response.headers[name]
            response.headers.extend(cors)
        return response

    def _call(
        self, api: Api, request: Request, path: str, route: Route, parameters: dict[str, str]
    ) -> Response:
        if route.authorization_type == "JWT" and "authorization" not in request.headers:
            return _message(401, "Unauthorized")
        integration = api.get_integration(route.target.rpartition("/")[2])
        lambdas = cast(LambdaBackend, lambda_backends[self._account_id][self._region])
        _, _, uri = integration.integration_uri.partition(":path/2015-03-31/functions/")
        arn = (uri or integration.integration_uri).removesuffix("/invocations")
        if not _may_invoke(lambdas, arn, self._route_arn(api, route)):
            return _message(500, "Internal Server Error")
        event = json.dumps(self._event(api, route, path, parameters, request)).encode()
        if len(event) > MAX_EVENT_BYTES:
            raise RequestEntityTooLarge
        target = self._functions.resolve(lambdas, arn, None)
        try:
            invocation = self._functions.invoke(lambdas, target, event)
        except ThrottledError:
            return _message(503, "Service Unavailable")
        if invocation.function_error:
            return _message(500, "Internal Server Error")
        return _response(json.loads(invocation.payload))

    @property
    def _apis(self) -> ApiGatewayV2Backend:
        return apigatewayv2_backends[self._account_id][self._region]

    def _find_api(self, name: str) -> Api | None:
        """Return the API with this id or name, or the one that a custom domain is mapped to."""
        apis = self._apis.apis
        # A copy of them all, because another request may be adding one.
        for mapping in list(self._apis.api_mappings.values()):
            if (mapping.domain_name, mapping.api_mapping_key) == (name, ""):
                return apis.get(mapping.api_id)
        return apis.get(name) or next((a for a in list(apis.values()) if a.name == name), None)

    def _route_arn(self, api: Api, route: Route) -> str:
        """Return the source ARN that API Gateway names when it calls a function for `route`."""
        method, _, pattern = route.route_key.partition(" ")
        api_arn = f"arn:aws:execute-api:{self._region}:{self._account_id}:{api.api_id}"
        return f"{api_arn}/$default/{'*' if method == 'ANY' else method}{pattern}"

    def _event(
        self, api: Api, route: Route, path: str, parameters: dict[str, str], request: Request
    ) -> dict[str, Any]:
        headers = {name.lower(): value for name, value in request.headers.items()}
        cookies = headers.pop("cookie", "")
        now = time.time()
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": route.route_key,
            "rawPath": path,
            "rawQueryString": request.query_string.decode("latin-1"),
            "headers": headers,
            "requestContext": {
                "accountId": self._account_id,
                "apiId": api.api_id,
                "domainName": request.host,
                "domainPrefix": api.api_id,
                "http": {
                    "method": request.method,
                    "path": path,
                    "protocol": request.environ["SERVER_PROTOCOL"],
                    "sourceIp": request.remote_addr,
                    "userAgent": headers.get("user-agent", ""),
                },
                "requestId": uuid.uuid4().hex,
                "routeKey": route.route_key,
                "stage": "$default",
                "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
                "timeEpoch": int(now * 1000),
            },
            "isBase64Encoded": False,
        }
        if cookies:
            event["cookies"] = cookies.split("; ")
        if request.args:
            event["queryStringParameters"] = {
                name: ",".join(values) for name, values in request.args.lists()
            }
        if parameters:
            event["pathParameters"] = parameters
        if body := request.get_data():
            event |= _body(body, headers.get("content-type", ""))
        return event


def _cors_headers(api: Api, request: Request) -> dict[str, str] | None:
    """Return the headers that the API's CORS configuration gives an answer; None without one.

    "Configure CORS for HTTP APIs": they replace those of the integration, and a preflight request
    is answered even if no route takes it. That a route which does take it (ANY, OPTIONS) gets it,
    with its authorizer, is what people report of it, and what the page says of $default.
    """
    configured = cast("dict[str, Any] | None", api.cors_configuration)
    if configured is None:
        return None
    origin = request.headers.get("Origin", "")
    allowed = configured.get("allowOrigins") or []
    if not origin or not {origin, "*", f"{origin.partition('//')[0]}//*"} & set(allowed):
        return {}
    headers = {f"{_CORS}allow-origin": "*" if "*" in allowed else origin}
    if configured.get("allowCredentials"):
        headers[f"{_CORS}allow-credentials"] = "true"
    if exposed := configured.get("exposeHeaders"):
        headers[f"{_CORS}expose-headers"] = ",".join(exposed)
    if request.method == "OPTIONS":
        headers[f"{_CORS}allow-methods"] = ",".join(configured.get("allowMethods") or [])
        headers[f"{_CORS}allow-headers"] = ",".join(configured.get("allowHeaders") or [])
        headers[f"{_CORS}max-age"] = str(configured.get("maxAge") or 0)
    return headers


def _body(body: bytes, content_type: str) -> dict[str, Any]:
    if _TEXT.match(content_type):
        try:
            return {"body": body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def _find_route(api: Api, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the most specific route that fits, and its path parameters.

    Order: a full match before a greedy one before $default, fewer parameters before more, more
    literal text before less, a named method before ANY.
    """
    fits: list[tuple[tuple[bool, bool, int, int, bool], Route, dict[str, str]]] = []
    for route in list(api.routes.values()):
        if route.route_key == "$default":
            fits.append(((True, True, 0, 0, True), route, {}))
            continue
        wanted_method, _, pattern = route.route_key.partition(" ")
        match = re.fullmatch(_path_regex(pattern), path)
        if match and wanted_method in ("ANY", method):
            parameters = match.groupdict()
            literal = len(re.sub(r"\{.*?\}", "", pattern))
            rank = (False, "+}" in pattern, len(parameters), -literal, wanted_method == "ANY")
            fits.append((rank, route, parameters))
    if not fits:
        return None
    _, route, parameters = min(fits, key=lambda fit: fit[0])
    return route, parameters


def _path_regex(pattern: str) -> str:
    """Turn `/api/{name}` or `/api/{proxy+}` into a regular expression with named groups."""
    parts = re.split(r"\{(\w+)(\+?)\}", pattern)
    regex = "(?s)" + re.escape(parts[0])
    for name, greedy, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        regex += f"(?P<{name}>{'.+' if greedy else '[^/]+'})" + re.escape(literal)
    return regex


def _may_invoke(lambdas: LambdaBackend, function_arn: str, source_arn: str) -> bool:
    """Return whether the function's policy lets API Gateway call it for `source_arn`."""
    _, name, _ = lambdas._lambdas.split_function_arn(function_arn)
    return any(
        statement["Resource"] == function_arn
        and statement["Principal"] == {"Service": "apigateway.amazonaws.com"}
        and fnmatchcase(source_arn, _allowed_source(statement))
        for statement in list(lambdas.get_function(name).policy.statements)
    )


def _allowed_source(statement: dict[str, Any]) -> str:
    """Return the pattern of source ARNs that a statement allows; without a condition, of all."""
    condition = statement.get("Condition", {}).get("ArnLike", {})
    return str(condition.get("AWS:SourceArn", "*"))


def _response(answer: Any) -> Response:
    """Turn what the function returned into an HTTP response."""
    if not isinstance(answer, dict) or "statusCode" not in answer:
        # Format 2.0 takes anything else for the body of a 200.
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return Response(text, 200, content_type="application/json")
    body = answer.get("body") or ""
    if not isinstance(body, str):
        raise TypeError("the function's answer has a body that is not text")
    content = base64.b64decode(body) if answer.get("isBase64Encoded") else body
    response = Response(content, int(answer["statusCode"]))
    response.headers["content-type"] = "text/plain;charset=utf-8"
    for name, value in (answer.get("headers") or {}).items():
        response.headers[name] = str(value)
    for cookie in answer.get("cookies") or []:
        response.headers.add("set-cookie", cookie)
    return response


def _message(status: int, message: str) -> Response:
    return Response(json.dumps({"message": message}), status, content_type="application/json")
