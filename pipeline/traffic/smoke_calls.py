"""The first calls of a new version that are particular to this function: function.toml's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from string import Template
from typing import Any, Self

from pipeline.errors import UsageError
from pipeline.traffic.proxy_response import ProxyResponse
from pipeline.config import FUNCTION, FUNCTION_FILE


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

    def __post_init__(self) -> None:
        """Raise ValueError or TypeError if it is not what it must be."""
        if not re.fullmatch(r"(GET|POST|PUT|PATCH|DELETE) /\S*", self.request):
            raise ValueError(f"request {self.request!r} is not of the form 'POST /api/orders'")
        if self.status not in range(100, 600):
            raise ValueError(f"status {self.status!r} is not an HTTP status")
        if not isinstance(self.canary, bool):
            raise TypeError(f"canary {self.canary!r} is neither true nor false")

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
        return {key: _substitute(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [_substitute(each, values) for each in value]
    return value


def _told() -> tuple[SmokeCall, ...]:
    """Return the calls of function.toml; raise UsageError if one is not what it must be."""
    found = []
    for number, table in enumerate(FUNCTION["smoke"], start=1):
        try:
            found.append(SmokeCall(**table))
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"{FUNCTION_FILE.name}: [[smoke]] {number}: {error}",
                "Required keys: request, status. Optional keys: body, holds, canary.",
            ) from error
    return tuple(found)


SMOKE_CALLS = _told()
