"""The first calls of a new version that are particular to this function: function.toml's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from string import Template
from typing import Any, Self

from pipeline.traffic.proxy_response import ProxyResponse
from pipeline.config import FUNCTION


@dataclass(frozen=True)
class SmokeCall:
    """One request and what it must be answered with.

    `holds` are members that the answer's JSON body must have, exactly so. A `canary` call changes
    nothing, and can be made again and again.
    """

    request: str
    status: int
    body: Mapping[str, Any] | None = None
    holds: Mapping[str, Any] | None = None
    canary: bool = False

    @property
    def method(self) -> str:
        return self.request.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.request.partition(" ")[2]

    def filled(self, values: Mapping[str, str]) -> Self:
        """Return the call with each $NAME of `values` replaced, in what it sends and expects."""
        return replace(
            self, body=_substitute(self.body, values), holds=_substitute(self.holds, values)
        )

    def sent(self) -> str:
        """Return the request's body."""
        return "" if self.body is None else json.dumps(self.body)

    def is_held_by(self, response: ProxyResponse) -> bool:
        """Return whether a response's body has each member that it must hold, exactly so."""
        if not self.holds:
            return True
        try:
            body = response.json()
        except ValueError:
            return False
        return isinstance(body, Mapping) and all(
            body.get(name) == value for name, value in self.holds.items()
        )


def _substitute(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return Template(value).safe_substitute(values)
    if isinstance(value, Mapping):
        return {key: _substitute(member, values) for key, member in value.items()}
    if isinstance(value, list):
        return [_substitute(item, values) for item in value]
    return value


SMOKE_CALLS = tuple(SmokeCall(**table) for table in FUNCTION["smoke"])
