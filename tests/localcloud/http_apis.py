"""HTTP APIs in a cloud, and a client that shows what goes over the wire."""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.localcloud.aws import Aws


@dataclass(frozen=True)
class Reply:
    """What came back: headers in their order, names in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


def send(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Send one request; return the reply, whatever its status."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=600)
    try:
        return exchange(connection, url.partition(place.netloc)[2], method, body, headers)
    finally:
        connection.close()


def exchange(
    connection: http.client.HTTPConnection,
    path: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Send a request on a connection that the caller keeps."""
    connection.request(method, path, body, dict(headers or {}))
    with connection.getresponse() as response:
        names = [(name.lower(), value) for name, value in response.getheaders()]
        return Reply(response.status, names, response.read())


def make_api(aws: Aws, routes: Mapping[str, str], source_arn: str | None = "{api}/*/*") -> str:
    """Create an API whose routes call functions (ARNs, qualified or not); return its id.

    API Gateway may call them for `source_arn`, where {api} is the API's own; None: not at all.
    """
    created = aws.apis.create_api(Name=f"api-{uuid.uuid4().hex}", ProtocolType="HTTP")
    api_id = created["ApiId"]
    for key, function_arn in routes.items():
        integration = aws.apis.create_integration(
            ApiId=api_id,
            IntegrationType="AWS_PROXY",
            IntegrationUri=function_arn,
            PayloadFormatVersion="2.0",
        )
        target = f"integrations/{integration['IntegrationId']}"
        aws.apis.create_route(ApiId=api_id, RouteKey=key, Target=target)
    aws.apis.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True)
    if source_arn:
        api_arn = f"arn:aws:execute-api:us-east-1:123456789012:{api_id}"
        for function_arn in set(routes.values()):
            _permit(aws, function_arn, source_arn.format(api=api_arn))
    return api_id


def _permit(aws: Aws, function_arn: str, source_arn: str) -> None:
    name, _, qualifier = function_arn.rpartition(":function:")[2].partition(":")
    aws.functions.add_permission(
        FunctionName=name,
        StatementId=uuid.uuid4().hex,
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=source_arn,
        **{"Qualifier": qualifier} if qualifier else {},  # type: ignore[arg-type]
    )
