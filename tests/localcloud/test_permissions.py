"""Permissions that AWS requires in addition to the action with the call's name."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.localcloud.aws import Aws
from tests.localcloud.clouds import Cloud

pytestmark = pytest.mark.integration

_APIS = "arn:aws:apigateway:us-east-1::/apis"
_DOMAINS = "arn:aws:apigateway:us-east-1::/domainnames"
_TAGS = "arn:aws:apigateway:us-east-1::/tags/*"
_PLAIN = "def handler(event, context): pass"
_OWN_ACCOUNT = {
    "Effect": "Allow",
    "Action": "sts:AssumeRole",
    "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
}
_TRUST = json.dumps({"Version": "2012-10-17", "Statement": [_OWN_ACCOUNT]})


@dataclass
class Account:
    """The shared cloud, to its owner and to roles that a test makes."""

    settings: Mapping[str, str]

    def client(self, service: Any, credentials: Mapping[str, str] | None = None) -> Any:
        own = credentials or {}
        return boto3.client(
            service,
            endpoint_url=self.settings["AWS_ENDPOINT_URL"],
            region_name=self.settings["AWS_REGION"],
            aws_access_key_id=own.get("AccessKeyId", "owner"),
            aws_secret_access_key=own.get("SecretAccessKey", "owner"),
            aws_session_token=own.get("SessionToken"),
            config=Config(retries={"total_max_attempts": 1}),
        )

    def role(self, *grants: Mapping[str, Any], name: str = "") -> dict[str, str]:
        """Make a role that may do what the statements allow; return credentials of it."""
        iam, name = self.client("iam"), name or f"tests-{uuid.uuid4().hex}"
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_TRUST)["Role"]
        document = {"Version": "2012-10-17", "Statement": [*grants]}
        iam.put_role_policy(RoleName=name, PolicyName="grants", PolicyDocument=json.dumps(document))
        sts = self.client("sts")
        assumed = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="test")
        return dict(assumed["Credentials"])


@pytest.fixture(scope="module")
def account(cloud: Cloud) -> Account:
    return Account(cloud.settings)


def grant(actions: str | list[str], *resources: str, **condition: Any) -> dict[str, Any]:
    """Return a statement that allows actions."""
    statement = {"Effect": "Allow", "Action": actions, "Resource": [*resources]}
    return statement | ({"Condition": condition} if condition else {})


def refused(error: pytest.ExceptionInfo[ClientError]) -> str:
    """Insist that a call was refused; return what AWS says about it."""
    answer = error.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403
    return str(answer["Error"].get("Message", ""))


@pytest.fixture(scope="module")
def bucket(account: Account) -> str:
    name, s3 = f"tests-{uuid.uuid4().hex}", account.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.mark.parametrize("operation", ["get_object", "head_object"])
def test_a_missing_key_is_seen_by_who_may_list_it(
    account: Account, bucket: str, operation: str
) -> None:
    """404 with s3:ListBucket for that key, 403 without; an object that is there needs no list."""
    reads = grant("s3:GetObject", f"arn:aws:s3:::{bucket}/*")
    lists = grant("s3:ListBucket", f"arn:aws:s3:::{bucket}", StringLike={"s3:prefix": ["seen/*"]})
    s3 = account.client("s3", account.role(reads, lists))
    with pytest.raises(ClientError) as missing:
        getattr(s3, operation)(Bucket=bucket, Key="seen/missing")
    assert missing.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    with pytest.raises(ClientError) as hidden:
        getattr(s3, operation)(Bucket=bucket, Key="hidden/missing")
    refused(hidden)
    owner = account.client("s3")
    owner.put_object(Bucket=bucket, Key="hidden/there", Body=b"x")
    getattr(s3, operation)(Bucket=bucket, Key="hidden/there")
    # A delete marker stands for a key that is missing.
    owner.delete_object(Bucket=bucket, Key="hidden/there")
    with pytest.raises(ClientError) as deleted:
        getattr(s3, operation)(Bucket=bucket, Key="hidden/there")
    refused(deleted)


def test_a_bucket_takes_conditional_writes_only_if_its_policy_says_so(account: Account) -> None:
    """From everybody: a bucket's policy is for the account's owner, too."""
    owner, name = account.client("s3"), f"tests-{uuid.uuid4().hex}"
    owner.create_bucket(Bucket=name)
    once = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{name}/once/*",
        "Condition": {"Null": {"s3:if-none-match": "true"}},
    }
    document = {"Version": "2012-10-17", "Statement": [once]}
    owner.put_bucket_policy(Bucket=name, Policy=json.dumps(document))
    role = account.client("s3", account.role(grant("s3:PutObject", f"arn:aws:s3:::{name}/*")))
    for who, s3 in (("owner", owner), ("role", role)):
        with pytest.raises(ClientError) as plain:
            s3.put_object(Bucket=name, Key=f"once/{who}", Body=b"1")
        assert "explicit deny" in refused(plain)
        s3.put_object(Bucket=name, Key=f"once/{who}", Body=b"1", IfNoneMatch="*")
        with pytest.raises(ClientError, match="PreconditionFailed"):
            s3.put_object(Bucket=name, Key=f"once/{who}", Body=b"2", IfNoneMatch="*")
        s3.put_object(Bucket=name, Key=f"elsewhere/{who}", Body=b"1")


def test_get_function_shows_tags_to_who_may_list_them(account: Account, aws: Aws) -> None:
    name = aws.function(_PLAIN, Tags={"service": "tests"})
    arn = aws.arn(name)
    reads, lists = grant("lambda:GetFunction", arn), grant("lambda:ListTags", arn)
    without = account.client("lambda", account.role(reads)).get_function(FunctionName=name)
    assert "Tags" not in without and without["Configuration"]["FunctionName"] == name
    with_tags = account.client("lambda", account.role(reads, lists)).get_function(FunctionName=arn)
    assert with_tags["Tags"] == {"service": "tests"}


def test_the_tags_of_an_api_need_a_permission_of_their_own(account: Account) -> None:
    creates = grant("apigateway:POST", _APIS)
    api = {"Name": f"tests-{uuid.uuid4().hex}", "ProtocolType": "HTTP"}
    without = account.client("apigatewayv2", account.role(creates))
    without.create_api(**api)
    with pytest.raises(ClientError) as tagged:
        without.create_api(**api, Tags={"service": "tests"})
    assert (
        "apigateway:POST on resource: arn:aws:apigateway:us-east-1::/tags/"
        "arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Fv2%2Fapis%2F*" in refused(tagged)
    )
    having = account.client("apigatewayv2", account.role(creates, grant("apigateway:POST", _TAGS)))
    assert having.create_api(**api, Tags={"service": "tests"})["Tags"] == {"service": "tests"}


def test_the_tags_of_a_stage_need_an_action_that_is_in_no_list(account: Account) -> None:
    """apigateway:TagResource. POST on /tags/* does not do."""
    owner = account.client("apigatewayv2")
    api = owner.create_api(Name=f"tests-{uuid.uuid4().hex}", ProtocolType="HTTP")["ApiId"]
    creates = grant("apigateway:POST", f"{_APIS}/*", _TAGS)
    stage = {"ApiId": api, "StageName": "$default", "Tags": {"service": "tests"}}
    with pytest.raises(ClientError) as tagged:
        account.client("apigatewayv2", account.role(creates)).create_stage(**stage)
    assert f"apigateway:TagResource on resource: {_APIS}/{api}/stages" in refused(tagged)
    tags = grant("apigateway:TagResource", f"{_APIS}/*")
    having = account.client("apigatewayv2", account.role(creates, tags))
    assert having.create_stage(**stage)["Tags"] == {"service": "tests"}


def test_tags_change_with_permissions_of_their_own(account: Account) -> None:
    """POST and DELETE on /tags/*; the actions TagResource and UntagResource for a stage as well."""
    owner = account.client("apigatewayv2")
    api = owner.create_api(Name=f"tests-{uuid.uuid4().hex}", ProtocolType="HTTP")["ApiId"]
    owner.create_stage(ApiId=api, StageName="$default")
    of_tags = grant(["apigateway:POST", "apigateway:DELETE"], _TAGS)
    of_stages = grant(["apigateway:TagResource", "apigateway:UntagResource"], f"{_APIS}/*")
    everything_else = grant(["apigateway:PATCH", "apigateway:GET"], f"{_APIS}/*")
    may = {
        "all": account.client("apigatewayv2", account.role(of_tags, of_stages, everything_else)),
        "tags": account.client("apigatewayv2", account.role(of_tags)),
        "none": account.client("apigatewayv2", account.role(everything_else)),
    }
    for arn, allowed in (
        (f"{_APIS}/{api}", {"all", "tags"}),
        (f"{_APIS}/{api}/stages/$default", {"all"}),
    ):
        for who, apis in may.items():
            if who in allowed:
                apis.tag_resource(ResourceArn=arn, Tags={"cost": "1"})
                apis.untag_resource(ResourceArn=arn, TagKeys=["cost"])
                continue
            with pytest.raises(ClientError) as tag:
                apis.tag_resource(ResourceArn=arn, Tags={"cost": "1"})
            with pytest.raises(ClientError) as untag:
                apis.untag_resource(ResourceArn=arn, TagKeys=["cost"])
            assert "apigateway:" in refused(tag) and "apigateway:" in refused(untag)
    owner.tag_resource(ResourceArn=f"{_APIS}/{api}/stages/$default", Tags={"cost": "1"})
    assert owner.get_stage(ApiId=api, StageName="$default")["Tags"] == {"cost": "1"}


def test_the_first_custom_domain_makes_a_service_linked_role(account: Account) -> None:
    """With the caller's permission. Later ones need none; a certificate's change is a PATCH."""
    certificate = "arn:aws:acm:us-east-1:123456789012:certificate/first"
    configuration = {"CertificateArn": certificate, "EndpointType": "REGIONAL"}
    creates = grant(["apigateway:POST", "apigateway:DELETE"], _DOMAINS, f"{_DOMAINS}/*")
    linked = (
        "arn:aws:iam::123456789012:role/aws-service-role/ops.apigateway.amazonaws.com/"
        "AWSServiceRoleForAPIGateway"
    )
    service = {"iam:AWSServiceName": "ops.apigateway.amazonaws.com"}
    links = grant("iam:CreateServiceLinkedRole", linked, StringEquals=service)
    without = account.client("apigatewayv2", account.role(creates))
    having = account.client("apigatewayv2", account.role(creates, links))
    iam = account.client("iam")
    with suppress(iam.exceptions.NoSuchEntityException):  # another test may have been first
        iam.delete_role(RoleName="AWSServiceRoleForAPIGateway")
    first = {"DomainName": "first.example.com", "DomainNameConfigurations": [configuration]}
    with pytest.raises(ClientError) as refusal:
        without.create_domain_name(**first)
    assert "iam:CreateServiceLinkedRole" in refused(refusal)
    having.create_domain_name(**first)
    without.delete_domain_name(DomainName="first.example.com")
    without.create_domain_name(**first)
    renewed = {"DomainName": "first.example.com"} | {
        "DomainNameConfigurations": [configuration | {"CertificateArn": f"{certificate}-renewed"}]
    }
    with pytest.raises(ClientError) as patch:
        having.update_domain_name(**renewed)
    assert "apigateway:PATCH" in refused(patch)
    changed = account.client("apigatewayv2").update_domain_name(**renewed)
    assert changed["DomainNameConfigurations"][0]["CertificateArn"].endswith("-renewed")
    assert changed["DomainNameConfigurations"][0]["DomainNameStatus"] == "AVAILABLE"
    without.delete_domain_name(DomainName="first.example.com")


def _document(characters: int) -> str:
    """Return a policy of so many characters, and white space that IAM does not count."""
    empty = {"Version": "2012-10-17", "Statement": [grant("s3:GetObject", "arn:aws:s3:::")]}
    missing = characters - len(json.dumps(empty, separators=(",", ":")))
    empty["Statement"] = [grant("s3:GetObject", f"arn:aws:s3:::{'x' * missing}")]
    return json.dumps(empty, indent=4)


def test_a_roles_inline_policies_have_a_largest_size(account: Account) -> None:
    """10,240 characters together, white space not counted."""
    iam, name = account.client("iam"), f"tests-{uuid.uuid4().hex}"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=_TRUST)
    put = iam.put_role_policy
    put(RoleName=name, PolicyName="a", PolicyDocument=_document(5_240))
    with pytest.raises(ClientError, match="LimitExceeded.*10240"):
        put(RoleName=name, PolicyName="b", PolicyDocument=_document(5_001))
    put(RoleName=name, PolicyName="b", PolicyDocument=_document(5_000))
    put(RoleName=name, PolicyName="a", PolicyDocument=_document(5_240))


def test_a_managed_policy_has_a_largest_size(account: Account) -> None:
    """6,144 characters, white space not counted."""
    iam, name = account.client("iam"), f"tests-{uuid.uuid4().hex}"
    with pytest.raises(ClientError, match="LimitExceeded.*6144"):
        iam.create_policy(PolicyName=name, PolicyDocument=_document(6_145))
    made = iam.create_policy(PolicyName=name, PolicyDocument=_document(6_144))["Policy"]["Arn"]
    with pytest.raises(ClientError, match="LimitExceeded.*6144"):
        iam.create_policy_version(PolicyArn=made, PolicyDocument=_document(6_145))


def test_a_role_has_ten_managed_policies_at_most(account: Account) -> None:
    iam, name = account.client("iam"), f"tests-{uuid.uuid4().hex}"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=_TRUST)
    arns = [
        iam.create_policy(PolicyName=f"{name}-{number}", PolicyDocument=_document(200))["Policy"]
        for number in range(11)
    ]
    for arn in arns[:10]:
        iam.attach_role_policy(RoleName=name, PolicyArn=arn["Arn"])
    with pytest.raises(ClientError, match="LimitExceeded.*10"):
        iam.attach_role_policy(RoleName=name, PolicyArn=arns[10]["Arn"])
    iam.attach_role_policy(RoleName=name, PolicyArn=arns[0]["Arn"])


def test_a_new_version_of_a_managed_policy_takes_effect(account: Account, bucket: str) -> None:
    """As late as any other change; the call that makes it names no role."""
    ssm, iam = account.client("ssm"), account.client("iam")
    setting, name = "/localcloud/permission-delay", f"tests-{uuid.uuid4().hex}"
    lists = grant("s3:ListBucket", f"arn:aws:s3:::{bucket}")
    first, second = (
        json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        for statement in (grant("s3:ListBucket", "arn:aws:s3:::other"), lists)
    )
    arn = iam.create_policy(PolicyName=name, PolicyDocument=first)["Policy"]["Arn"]
    s3 = account.client("s3", account.role(grant("s3:GetObject", "*"), name=name))
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    ssm.put_parameter(Name=setting, Value="1", Type="String")
    try:
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=second, SetAsDefault=True)
        with pytest.raises(ClientError) as early:
            s3.list_objects_v2(Bucket=bucket)
        refused(early)
        time.sleep(1.1)
        s3.list_objects_v2(Bucket=bucket)
    finally:
        ssm.delete_parameter(Name=setting)


def test_a_permission_can_take_seconds_to_hold(account: Account, bucket: str) -> None:
    """If the cloud is set so; what is taken away holds on as long."""
    ssm, iam = account.client("ssm"), account.client("iam")
    setting, name = "/localcloud/permission-delay", f"tests-{uuid.uuid4().hex}"
    ssm.put_parameter(Name=setting, Value="1.5", Type="String")
    try:
        lists = grant("s3:ListBucket", f"arn:aws:s3:::{bucket}")
        s3 = account.client("s3", account.role(lists, name=name))
        with pytest.raises(ClientError) as early:
            s3.list_objects_v2(Bucket=bucket)
        refused(early)
        time.sleep(1.6)
        s3.list_objects_v2(Bucket=bucket)
        iam.delete_role_policy(RoleName=name, PolicyName="grants")
        s3.list_objects_v2(Bucket=bucket)
    finally:
        ssm.delete_parameter(Name=setting)
    with pytest.raises(ClientError) as late:
        s3.list_objects_v2(Bucket=bucket)
    refused(late)


@pytest.mark.parametrize(
    "statement",
    [
        None,
        {**_OWN_ACCOUNT, "Principal": {"Service": "lambda.amazonaws.com"}},
        {**_OWN_ACCOUNT, "Principal": {"AWS": "arn:aws:iam::999999999999:root"}},
        {**_OWN_ACCOUNT, "Action": "sts:TagSession"},
    ],
)
def test_a_role_is_assumed_by_whom_its_trust_policy_names(
    account: Account, statement: dict[str, Any] | None
) -> None:
    """Also by the account's own administrators: its root in the policy stands for them."""
    iam, sts, name = account.client("iam"), account.client("sts"), f"tests-{uuid.uuid4().hex}"
    trust = {"Version": "2012-10-17", "Statement": [statement] if statement else []}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    with pytest.raises(ClientError) as untrusted:
        sts.assume_role(RoleArn=role["Arn"], RoleSessionName="test")
    assert f"not authorized to perform: sts:AssumeRole on resource: {role['Arn']}" in refused(
        untrusted
    )
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=_TRUST)
    assert sts.assume_role(RoleArn=role["Arn"], RoleSessionName="test")["Credentials"]
