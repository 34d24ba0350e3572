"""Whether IAM policies allow a request: documents and a request in, a decision out.

Source of the rules: "Policy evaluation logic" and "IAM JSON policy element reference" in AWS's IAM
user guide. What is not known here (another element, another operator) is an error, not a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_ELEMENTS = frozenset({"Sid", "Effect", "Principal", "Action", "Resource", "Condition"})


@dataclass(frozen=True)
class Request:
    """What somebody wants to do: an action, to a resource (its ARN), in a context.

    `context` maps condition keys, in lower case, to their values.
    """

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


def allow(documents: Iterable[Mapping[str, Any]], request: Request) -> bool:
    """Return whether the policies allow a request: one does, and none denies it."""
    effects = {
        statement["Effect"]
        for document in documents
        for statement in listed(document["Statement"])
        if _fits(statement, request)
    }
    return effects == {"Allow"}


def deny(document: Mapping[str, Any], request: Request) -> bool:
    """Return whether a policy denies a request, whatever others allow."""
    return any(
        statement["Effect"] == "Deny" and _fits(statement, request)
        for statement in listed(document["Statement"])
    )


def _fits(statement: Mapping[str, Any], request: Request) -> bool:
    if unknown := set(statement) - _ELEMENTS:
        raise ValueError(f"a policy has {', '.join(unknown)}, which is not known here")
    return (
        any(like(each.lower(), request.action.lower()) for each in listed(statement["Action"]))
        # A role's trust policy names no resource: it is the role's own.
        and any(like(each, request.resource) for each in listed(statement.get("Resource", "*")))
        and all(_holds(*condition, request.context) for condition in _conditions(statement))
    )


def like(pattern: str, text: str) -> bool:
    """Compare with a pattern in which `*` stands for any text and `?` for any one character."""
    parts = {"*": ".*", "?": "."}
    expression = "".join(parts.get(each) or re.escape(each) for each in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    for operator, keys in statement.get("Condition", {}).items():
        for key, values in keys.items():
            yield operator, key.lower(), listed(values)


def _holds(operator: str, key: str, values: list[str], context: Mapping[str, str]) -> bool:
    """Return whether a condition holds; one about a key that the context lacks does not."""
    if operator == "Null":
        return (key not in context) == (values == ["true"])
    negated = "Not" in operator
    compare = _OPERATORS[operator.replace("Not", "")]
    if key not in context:
        return negated
    return any(compare(value, context[key]) for value in values) != negated


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": str.__eq__,
    "StringLike": like,
    "ArnLike": like,
    "ArnEquals": like,
    "Bool": lambda wanted, value: wanted.lower() == value.lower(),
}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
