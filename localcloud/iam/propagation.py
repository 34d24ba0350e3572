"""Permissions that hold only after some seconds, as IAM is eventually consistent.

Source: "Changes that I make are not always immediately visible" in AWS's IAM user guide. Here they
hold at once, unless localcloud/conditions.py says otherwise.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from typing import Any

from moto.iam.models import ManagedPolicy, Role

from localcloud import conditions


class Propagation:
    """The policies of roles, now and before their last changes."""

    def __init__(self, account_id: str, region: str) -> None:
        self._account_id, self._region = account_id, region
        self._past: dict[str, list[tuple[float, list[Any]]]] = {}

    def changed(self, roles: Collection[Role]) -> None:
        """Note what the policies of all roles are after a call that may have changed them.

        A managed policy's are those of every role that it is attached to. A role that is gone, and
        created again, begins without any.
        """
        past = {role.arn: self._past.get(role.arn, []) for role in roles}
        for role in roles:
            documents = _documents(role)
            if not past[role.arn] or past[role.arn][-1][1] != documents:
                past[role.arn].append((time.monotonic(), documents))
        self._past = past

    def documents(self, role: Role) -> list[Any]:
        """Return the policies of a role, its own and managed ones, that hold by now."""
        delay_s = conditions.value(self._account_id, self._region, "permission-delay")
        if delay_s is None:
            return _documents(role)
        until = time.monotonic() - float(delay_s)
        held = [each for changed, each in self._past.get(role.arn, []) if changed <= until]
        return held[-1] if held else []


def document(policy: ManagedPolicy) -> Any:
    """Return the version of a managed policy that counts."""
    [version] = [each for each in policy.versions if each.is_default_version]
    return json.loads(version.document)


def _documents(role: Role) -> list[Any]:
    own = [json.loads(policy) for policy in role.policies.values()]
    return own + [document(policy) for policy in role.managed_policies.values()]
