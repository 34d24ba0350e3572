"""An API that cannot reach its function answers by itself, and Lambda counts nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.errors import CheckFailedError
from pipeline.traffic import api_url
from pipeline.traffic.invoke import Health
from tests.localcloud.aws import Aws
from tests.localcloud.clouds import Cloud
from tests.localcloud.http_apis import make_api, send

pytestmark = pytest.mark.integration

_PLAIN = "def handler(event, context): return {'statusCode': 200, 'body': 'answered'}"


def _get(cloud: Cloud, api_id: str, path: str = "/here") -> tuple[int, object]:
    root = cloud.settings["API_URL"].rpartition("/")[0]
    reply = send(f"{root}/{api_id}{path}")
    return reply.status, reply.json


def _failures(aws: Aws, api_id: str) -> float:
    now = datetime.now(UTC)
    found = aws.metrics.get_metric_statistics(
        Namespace="AWS/ApiGateway",
        MetricName="5xx",
        Dimensions=[{"Name": "ApiId", "Value": api_id}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=60,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in found["Datapoints"])


def test_without_a_permission_it_is_500(aws: Aws, cloud: Cloud) -> None:
    name = aws.function(_PLAIN)
    api_id = make_api(aws, {"GET /here": aws.arn(name)}, source_arn=None)
    assert _get(cloud, api_id) == (500, {"message": "Internal Server Error"})
    assert _failures(aws, api_id) == 1
    assert aws.total("Invocations", FunctionName=name) == 0


def test_without_a_route_it_is_404_and_no_failure(aws: Aws, cloud: Cloud) -> None:
    api_id = make_api(aws, {"GET /here": aws.arn(aws.function(_PLAIN))})
    assert _get(cloud, api_id, "/elsewhere") == (404, {"message": "Not Found"})
    assert _failures(aws, api_id) == 0


def test_without_an_integration_or_a_function_it_is_500(aws: Aws, cloud: Cloud) -> None:
    name = aws.function(_PLAIN)
    api_id = make_api(aws, {"GET /here": aws.arn(name)})
    aws.apis.create_route(ApiId=api_id, RouteKey="GET /nowhere", Target="integrations/none")
    assert _get(cloud, api_id, "/nowhere") == (500, {"message": "Internal Server Error"})
    aws.functions.delete_function(FunctionName=name)
    assert _get(cloud, api_id) == (500, {"message": "Internal Server Error"})
    assert _failures(aws, api_id) == 2


def test_without_a_token_a_route_with_an_authorizer_is_401(aws: Aws, cloud: Cloud) -> None:
    api_id = make_api(aws, {"GET /here": aws.arn(aws.function(_PLAIN))})
    authorizer = aws.apis.create_authorizer(
        ApiId=api_id,
        Name="jwt",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": "https://issuer.example", "Audience": ["tests"]},
    )
    [route] = aws.apis.get_routes(ApiId=api_id)["Items"]
    aws.apis.update_route(
        ApiId=api_id,
        RouteId=route["RouteId"],
        AuthorizationType="JWT",
        AuthorizerId=authorizer["AuthorizerId"],
    )
    assert _get(cloud, api_id) == (401, {"message": "Unauthorized"})


def test_a_custom_domain_that_no_api_is_mapped_to_is_403(aws: Aws, cloud: Cloud) -> None:
    """And the call that ends a release says what is wrong."""
    api_id = make_api(aws, {"GET /api/health": aws.arn(aws.function(_PLAIN))})
    domain = "mapped.example.com"
    aws.apis.create_domain_name(
        DomainName=domain, DomainNameConfigurations=[{"CertificateArn": "arn:aws:acm:::none"}]
    )
    url = f"{cloud.settings['API_URL'].rpartition('/')[0]}/{domain}"
    mapping = aws.apis.create_api_mapping(ApiId=api_id, DomainName=domain, Stage="$default")
    answers = Health("200")
    assert api_url.require_answer(url, lambda: answers, 0).outcome == "200"
    aws.apis.delete_api_mapping(ApiMappingId=mapping["ApiMappingId"], DomainName=domain)
    assert _get(cloud, domain, "/api/health") == (403, {"message": "Forbidden"})
    with pytest.raises(CheckFailedError, match=r"(?s)returned 403 .*no mapping of the domain"):
        api_url.require_answer(url, lambda: answers, 0)
    aws.apis.delete_domain_name(DomainName=domain)
