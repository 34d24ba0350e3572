"""From staging to production: every indirect way that a role of staging could try."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from scratch import cloud
from scratch.sandbox import trusting
from scratch.project import Project
from tests.bootstrap.account import ACCOUNT
from tests.bootstrap.rendered import install, render
from tests.support import provider

pytestmark = pytest.mark.integration

_APIS = "arn:aws:apigateway:us-east-1::/apis"
_ARTIFACTS, _STATE = (f"mongo-client-{each}-{ACCOUNT}" for each in ("artifacts", "terraform-state"))
_TRUST = json.dumps(trusting({"Version": "2012-10-17", "Statement": []}, ACCOUNT))
_READS_A_PARAMETER = """
import boto3
def handler(event, context):
    found = boto3.client("ssm").get_parameter(Name=event, WithDecryption=True)
    return found["Parameter"]["Type"]
"""
WRITERS = ("staging-deploy", "staging-rollback")


@dataclass
class Account:
    """An account with the roles of both environments, and production's API."""

    settings: dict[str, str]
    api: dict[str, str] = field(default_factory=dict)

    def client(self, service: Any, role: str = "") -> Any:
        """Return a client of the owner, or one with the credentials of a role."""
        own: dict[str, Any] = {
            key.lower(): value for key, value in self.settings.items() if "ACCESS_KEY" in key
        }
        if role:
            arn = f"arn:aws:iam::{ACCOUNT}:role/mongo-client-{role}"
            sts = self.client("sts")
            assumed = sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
            own = {
                "aws_access_key_id": assumed["AccessKeyId"],
                "aws_secret_access_key": assumed["SecretAccessKey"],
                "aws_session_token": assumed["SessionToken"],
            }
        url = self.settings["AWS_ENDPOINT_URL"]
        return boto3.client(service, endpoint_url=url, region_name="us-east-1", **own)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """What bootstrap leaves when it is run again after production's first deployment."""
    folder = tmp_path_factory.mktemp("isolation")
    with cloud.running(folder / "cloud", "mongodb://127.0.0.1:1/") as settings:
        account = Account(settings)
        apis = account.client("apigatewayv2")
        with provider.running(settings) as reattached:
            rendered = render(folder, settings | reattached)
        install(rendered, settings)
        [api] = [
            each for each in apis.get_apis()["Items"] if each["Name"] == "mongo-client-production"
        ]
        account.api = _furnish(apis, api["ApiId"], "production")
        yield account


def _furnish(apis: Any, api: str, environment: str) -> dict[str, str]:
    """Give an API its parts, as Terraform does, and a domain name; return their ids."""
    tags = {"service": "mongo-client", "environment": environment}
    apis.tag_resource(ResourceArn=f"{_APIS}/{api}", Tags=tags)
    integration = apis.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", PayloadFormatVersion="2.0"
    )["IntegrationId"]
    route = apis.create_route(ApiId=api, RouteKey="ANY /api", Target=f"integrations/{integration}")
    apis.create_stage(ApiId=api, StageName="$default", Tags=tags)
    domain = f"{api}.example.com"
    apis.create_domain_name(
        DomainName=domain,
        DomainNameConfigurations=[{"CertificateArn": "arn:aws:acm:us-east-1:1:certificate/1"}],
        Tags=tags,
    )
    return {
        "ApiId": api,
        "IntegrationId": integration,
        "RouteId": route["RouteId"],
        "DomainName": domain,
    }


def _refused(*attempts: Callable[[], object]) -> None:
    """Insist that each attempt is refused for lack of a permission."""
    for attempt in attempts:
        with pytest.raises(ClientError) as error:
            attempt()
        code = error.value.response["Error"]["Code"]
        assert code in ("AccessDenied", "AccessDeniedException", "403"), error.value


@pytest.mark.parametrize("role", WRITERS)
def test_the_functions_role_reads_no_secret_of_production(account: Account, role: str) -> None:
    """It is written by the roles of staging, with any policy, and runs any code of theirs."""
    iam, functions = (account.client(each, role) for each in ("iam", "lambda"))
    reads = {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*"}
    iam.create_role(
        RoleName="mongo-client-staging",
        AssumeRolePolicyDocument=_TRUST,
        PermissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/mongo-client-staging-boundary",
    )
    iam.put_role_policy(
        RoleName="mongo-client-staging",
        PolicyName="function",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [reads]}),
    )
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", _READS_A_PARAMETER)
    functions.create_function(
        FunctionName="mongo-client-staging",
        Role=f"arn:aws:iam::{ACCOUNT}:role/mongo-client-staging",
        Runtime="python3.13",
        Handler="app.handler",
        Code={"ZipFile": package.getvalue()},
        Timeout=20,
    )
    answers = {}
    for environment in ("staging", "production"):
        parameter = json.dumps(f"/mongo-client/{environment}/mongodb-uri")
        called = functions.invoke(FunctionName="mongo-client-staging", Payload=parameter)
        with called["Payload"] as stream:
            answers[environment] = stream.read().decode()
    functions.delete_function(FunctionName="mongo-client-staging")
    iam.delete_role_policy(RoleName="mongo-client-staging", PolicyName="function")
    iam.delete_role(RoleName="mongo-client-staging")
    assert answers["staging"] == '"SecureString"'
    assert "AccessDenied" in answers["production"]


@pytest.mark.parametrize("role", WRITERS)
def test_the_boundary_cannot_be_exchanged(account: Account, role: str) -> None:
    iam = account.client("iam", role)
    policy = f"arn:aws:iam::{ACCOUNT}:policy/mongo-client"
    mine = {"RoleName": "mongo-client-staging"}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    others = {**mine, "PermissionsBoundary": f"{policy}-production-boundary"}
    _refused(
        lambda: iam.create_role(AssumeRolePolicyDocument=_TRUST, **mine),
        lambda: iam.create_role(AssumeRolePolicyDocument=_TRUST, **others),
        lambda: iam.put_role_permissions_boundary(**others),
        lambda: iam.delete_role_permissions_boundary(**mine),
        lambda: iam.attach_role_policy(PolicyArn=f"{policy}-production-release", **mine),
        lambda: iam.create_policy_version(
            PolicyArn=f"{policy}-staging-boundary", PolicyDocument=document, SetAsDefault=True
        ),
        lambda: iam.create_policy_version(
            PolicyArn=f"{policy}-staging-function", PolicyDocument=document, SetAsDefault=True
        ),
        lambda: iam.attach_role_policy(
            RoleName=f"mongo-client-{role}", PolicyArn=f"{policy}-production-deploy"
        ),
    )


@pytest.mark.parametrize("role", WRITERS)
def test_productions_function_is_not_touched(account: Account, role: str) -> None:
    """Not its role either, which a function of staging could be given."""
    functions, ssm = (account.client(each, role) for each in ("lambda", "ssm"))
    theirs = {"FunctionName": "mongo-client-production"}
    production = f"arn:aws:iam::{ACCOUNT}:role/mongo-client-production"
    _refused(
        lambda: functions.update_function_code(ZipFile=b"PK", **theirs),
        lambda: functions.update_function_configuration(Timeout=3, **theirs),
        lambda: functions.update_alias(Name="live", FunctionVersion="1", **theirs),
        lambda: functions.invoke(**theirs),
        lambda: functions.get_function(**theirs),
        lambda: functions.update_function_configuration(
            FunctionName="mongo-client-staging", Role=production
        ),
        lambda: ssm.get_parameter(Name="/mongo-client/production/smoke-api-key"),
        lambda: ssm.get_parameter(Name="/mongo-client/production/mongodb-uri"),
    )


@pytest.mark.parametrize("role", WRITERS)
def test_productions_api_is_not_touched(account: Account, role: str) -> None:
    """Nor what is in it: bootstrap found its id. Nor can its tags be made staging's."""
    apis = account.client("apigatewayv2", role)
    api = {"ApiId": account.api["ApiId"]}
    integration = {**api, "IntegrationId": account.api["IntegrationId"]}
    route = {**api, "RouteId": account.api["RouteId"]}
    stage, domain = {**api, "StageName": "$default"}, {"DomainName": account.api["DomainName"]}
    staging = {"environment": "staging"}
    _refused(
        lambda: apis.update_api(Name="mongo-client-staging", **api),
        lambda: apis.delete_api(**api),
        lambda: apis.update_integration(IntegrationUri="arn:aws:lambda:evil", **integration),
        lambda: apis.delete_integration(**integration),
        lambda: apis.create_integration(IntegrationType="AWS_PROXY", **api),
        lambda: apis.update_route(Target="integrations/evil", **route),
        lambda: apis.delete_route(**route),
        lambda: apis.create_route(RouteKey="GET /api/health", **api),
        lambda: apis.update_stage(DefaultRouteSettings={"ThrottlingRateLimit": 0}, **stage),
        lambda: apis.delete_stage(**stage),
        lambda: apis.tag_resource(ResourceArn=f"{_APIS}/{api['ApiId']}", Tags=staging),
        lambda: apis.tag_resource(
            ResourceArn=f"{_APIS}/{api['ApiId']}/stages/$default", Tags=staging
        ),
        lambda: apis.delete_domain_name(**domain),
        lambda: apis.create_api_mapping(Stage="$default", **api, **domain),
    )


def _examined(project: Project) -> dict[str, str]:
    """Return what the doctor finds about the policy that keeps staging from production's API."""
    findings: list[dict[str, str]] = json.loads(project.run("doctor", "--json").stdout)
    [found] = [
        finding for finding in findings if finding["what"] == "policy mongo-client-staging-api"
    ]
    return found


def test_an_api_that_bootstrap_has_not_seen_is_kept_apart_in_part(
    account: Account, tmp_path: Path
) -> None:
    """By its name and its tags, which its parts do not have. `doctor` says what to run."""
    project = Project.copy_to(tmp_path / "project", account.settings)
    assert _examined(project)["state"] == "ok"
    owner = account.client("apigatewayv2")
    made = owner.create_api(Name="mongo-client-production", ProtocolType="HTTP")["ApiId"]
    new = _furnish(owner, made, "production")
    apis = account.client("apigatewayv2", "staging-deploy")
    _refused(
        lambda: apis.delete_api(ApiId=made),
        lambda: apis.update_stage(ApiId=made, StageName="$default", AutoDeploy=False),
        lambda: apis.delete_domain_name(DomainName=new["DomainName"]),
    )
    apis.delete_route(ApiId=made, RouteId=new["RouteId"])
    found = _examined(project)
    assert found["detail"] == "it does not deny the API mongo-client-production yet"
    assert "pipeline bootstrap" in found["hint"]
    owner.delete_api(ApiId=made)


@pytest.mark.parametrize("role", WRITERS)
def test_what_is_stored_is_written_once(account: Account, role: str) -> None:
    """A package is read again when production's Terraform applies: it must be what was proved."""
    owner, s3 = account.client("s3"), account.client("s3", role)
    keys = {
        "staging-deploy": [
            "packages/p/x.zip",
            "bundles/b/manifest.json",
            "ledger/staging/1/end.json",
        ],
        "staging-rollback": ["ledger/staging/1/end.json"],
    }
    for key in keys[role]:
        there = {"Bucket": _ARTIFACTS, "Key": f"{key}-{role}"}
        s3.put_object(Body=b"proved", IfNoneMatch="*", **there)
        with pytest.raises(ClientError, match="PreconditionFailed"):
            s3.put_object(Body=b"evil", IfNoneMatch="*", **there)
        _refused(
            lambda: s3.put_object(Body=b"evil", **there),
            lambda: owner.put_object(Body=b"evil", **there),
            lambda: s3.delete_object(**there),
        )
        assert owner.get_object(**there)["Body"].read() == b"proved"


@pytest.mark.parametrize("role", WRITERS)
def test_productions_ledger_and_state_are_not_touched(account: Account, role: str) -> None:
    s3 = account.client("s3", role)
    once = {"Body": b"evil", "IfNoneMatch": "*"}
    state = {"Bucket": _STATE, "Key": "mongo-client/production.tfstate"}
    lock = {"Bucket": _STATE, "Key": "mongo-client/production.tfstate.tflock"}
    in_store = {
        name: {"Bucket": _ARTIFACTS, "Key": f"{name}/production{suffix}"}
        for name, suffix in (
            ("ledger", "/1/end.json"),
            ("lease", ".json"),
            ("quarantine", "/b.json"),
        )
    }
    _refused(
        *(partial(s3.put_object, **once, **each) for each in in_store.values()),
        *(partial(s3.delete_object, **each) for each in in_store.values()),
        lambda: s3.get_object(**in_store["lease"]),
        lambda: s3.get_object(**state),
        lambda: s3.put_object(Body=b"evil", **state),
        lambda: s3.put_object(**once, **lock),
        lambda: s3.delete_object(**lock),
        lambda: s3.get_object(Bucket=_STATE, Key="mongo-client/bootstrap.tfstate"),
        lambda: s3.put_object(Body=b"evil", Bucket=_STATE, Key="mongo-client/bootstrap.tfstate"),
        lambda: s3.put_bucket_policy(Bucket=_ARTIFACTS, Policy="{}"),
        lambda: s3.delete_bucket_policy(Bucket=_ARTIFACTS),
    )
