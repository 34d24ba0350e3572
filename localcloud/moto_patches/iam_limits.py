"""The sizes that IAM refuses, which moto accepts.

Source: "IAM and AWS STS quotas" in AWS's IAM user guide. White space is not counted.
"""

from __future__ import annotations

from typing import Any

from moto.iam.exceptions import LimitExceededException
from moto.iam.models import IAMBackend

_INLINE_POLICIES = 10_240
_MANAGED_POLICY = 6_144
_POLICIES_OF_A_ROLE = 10


def enforce() -> None:
    """Let moto refuse what is larger than the quotas. Applied once a process."""
    _limit_inline_policies()
    _limit_managed_policies()
    _limit_attached_policies()


def size(document: str) -> int:
    """Return a policy document's size as IAM counts it."""
    return len("".join(document.split()))


def _limit_inline_policies() -> None:
    stock_put = IAMBackend.put_role_policy

    def put(self: IAMBackend, role_name: str, policy_name: str, policy_json: str) -> None:
        others = {**self.get_role(role_name).policies, policy_name: policy_json}
        if sum(size(each) for each in others.values()) > _INLINE_POLICIES:
            raise LimitExceededException(
                f"Maximum policy size of {_INLINE_POLICIES} bytes exceeded for role {role_name}"
            )
        stock_put(self, role_name, policy_name, policy_json)

    IAMBackend.put_role_policy = put


def _limit_managed_policies() -> None:
    stock_create = IAMBackend.create_policy
    stock_create_version = IAMBackend.create_policy_version

    def create(
        self: IAMBackend, description: str, path: str, policy_document: str, *more: Any
    ) -> Any:
        _refuse_large(policy_document)
        return stock_create(self, description, path, policy_document, *more)

    def create_version(self: IAMBackend, policy_arn: str, policy_document: str, *more: Any) -> Any:
        _refuse_large(policy_document)
        return stock_create_version(self, policy_arn, policy_document, *more)

    IAMBackend.create_policy = create
    IAMBackend.create_policy_version = create_version


def _refuse_large(document: str) -> None:
    if size(document) > _MANAGED_POLICY:
        raise LimitExceededException(f"Cannot exceed quota for PolicySize: {_MANAGED_POLICY}")


def _limit_attached_policies() -> None:
    stock_attach = IAMBackend.attach_role_policy

    def attach(self: IAMBackend, policy_arn: str, role_name: str) -> None:
        attached = self.get_role(role_name).managed_policies
        if policy_arn not in attached and len(attached) >= _POLICIES_OF_A_ROLE:
            raise LimitExceededException(
                f"Cannot exceed quota for PoliciesPerRole: {_POLICIES_OF_A_ROLE}"
            )
        stock_attach(self, policy_arn, role_name)

    IAMBackend.attach_role_policy = attach
