"""Read a Terraform plan: what it changes, in words, and whether that needs permission."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.errors import PlanRefusedError

# To lose anything else is to lose requests, data, rights or the way back. A role that is made again
# under its name breaks every published version: Lambda's key grants name the old role's id.
_REPLACED_BY_DESIGN = frozenset(
    {
        "aws_cloudwatch_dashboard",
        "aws_cloudwatch_log_metric_filter",
        "aws_cloudwatch_metric_alarm",
        "aws_lambda_code_signing_config",
        "aws_lambda_layer_version",  # skip_destroy: the older versions stay
        "aws_lambda_provisioned_concurrency_config",
    }
)


# What all versions of the function share: a change of it meets every caller with the apply itself,
# before a call of the new version was made, and stays when live goes back.
_AT_ONCE = frozenset(
    {
        "aws_apigatewayv2_api",
        "aws_apigatewayv2_api_mapping",
        "aws_apigatewayv2_authorizer",
        "aws_apigatewayv2_domain_name",
        "aws_apigatewayv2_integration",
        "aws_apigatewayv2_route",
        "aws_apigatewayv2_stage",
        "aws_cloudwatch_log_group",
        "aws_iam_role",
        "aws_iam_role_policy",
        "aws_iam_role_policy_attachment",
        "aws_lambda_permission",
        "aws_lambda_provisioned_concurrency_config",
    }
)


_FUNCTION = "aws_lambda_function"
# Which package a function or layer is made of.
_OF_THE_BUNDLE = frozenset({"code_sha256", "s3_key", "s3_object_version", "source_code_hash"})


# Settings of the function that no version has ("Managing Lambda function versions", developer
# guide).
_FUNCTIONS_OWN = frozenset({"code_signing_config_arn", "reserved_concurrent_executions"})


# A `removed` block can have Terraform forget what it leaves alone.
_SIGNS = {"create": "+", "update": "~", "delete": "-", "replace": "-/+", "forget": "."}


@dataclass(frozen=True)
class Change:
    """What a plan does to one resource. `attributes` are the names of what changes, no values.

    `at_once`: it takes effect with the apply, for all versions, and no canary covers it.
    """

    address: str
    action: str
    attributes: tuple[str, ...]
    guarded: bool
    at_once: bool = False

    def in_words(self) -> str:
        new = "new code" if self.address.startswith(_FUNCTION) else "new content"
        words = dict.fromkeys(new if name in _OF_THE_BUNDLE else name for name in self.attributes)
        names = f": {', '.join(words)}" if self.action in ("update", "replace") else ""
        mark = "  (at once, for all versions)" if self.at_once else ""
        return f"{_SIGNS[self.action]:>3} {self.address}{names}{mark}"


@dataclass(frozen=True)
class PlannedChanges:
    """What a plan does.

    `sha256` is the same for plans that do the same to the same; `effects_sha256` for plans that do
    the same, whatever was there before and whichever bundle it is done with.
    """

    changes: tuple[Change, ...]
    outputs: tuple[str, ...]
    sha256: str
    effects_sha256: str

    @property
    def empty(self) -> bool:
        """Whether Terraform and reality agree: "No changes"."""
        return not self.changes and not self.outputs

    def destroyed(self) -> list[str]:
        """Return the guarded resources that the plan destroys or replaces."""
        return [
            change.address
            for change in self.changes
            if change.guarded and change.action in ("delete", "replace")
        ]

    def touches(self, *types: str) -> bool:
        """Return whether a resource changes whose type begins with one of `types`."""
        return any(change.address.startswith(types) for change in self.changes)

    def at_once(self) -> list[str]:
        """Return what takes effect with the apply, for all versions."""
        return [change.address for change in self.changes if change.at_once]

    def refuse_destruction(self, allowed: Collection[str]) -> None:
        """Raise PlanRefusedError if a guarded resource goes whose address is not `allowed`."""
        refused = [
            address
            for address in self.destroyed()
            if not {address, without_index(address)} & set(allowed)
        ]
        if refused:
            raise PlanRefusedError(
                f"the plan destroys or replaces {', '.join(refused)}; nothing was applied",
                "To allow it: "
                + " ".join(
                    f"--allow-destroy {address}"
                    for address in dict.fromkeys(map(without_index, refused))
                ),
            )

    def to_json(self) -> dict[str, Any]:
        return {
            "empty": self.empty,
            "changes": [asdict(change) for change in self.changes],
            "outputs": list(self.outputs),
            "destroys": self.destroyed(),
            "at_once": self.at_once(),
            "sha256": self.sha256,
            "effects_sha256": self.effects_sha256,
        }


def without_index(address: str) -> str:
    """Return an address without its index, which allows all of them.

    A label of GitHub's has 50 characters at most, and names it after `allow-destroy:`.
    """
    return address.partition("[")[0]


def read_plan(plan: dict[str, Any]) -> PlannedChanges:
    """Read a plan as `terraform show -json` writes it (format version 1.x)."""
    configured = _configured_attributes(plan)
    changing = [
        resource
        for resource in plan.get("resource_changes", [])
        if resource["mode"] == "managed" and resource["change"]["actions"] != ["no-op"]
    ]
    # A function that is new has no version yet that serves.
    serves = any(
        resource["type"] == _FUNCTION and resource["change"]["actions"] != ["create"]
        for resource in plan.get("resource_changes", [])
    )
    changes = [
        _change(resource, configured.get(resource["address"], set()), serves)
        for resource in changing
    ]
    outputs = {
        name: change
        for name, change in plan.get("output_changes", {}).items()
        if change["actions"] != ["no-op"]
    }
    effects = [(resource["address"], resource["change"]) for resource in changing]
    effects += [(f"output.{name}", change) for name, change in outputs.items()]
    return PlannedChanges(
        tuple(changes),
        tuple(outputs),
        _digest(effects),
        _digest_of_lines(json.dumps(_effect(*effect), sort_keys=True) for effect in effects),
    )


def code_was_changed(plan: Mapping[str, Any]) -> bool:
    """Return whether the function's code is not what Terraform deployed last.

    Terraform does not see that: it compares the digest with its own state, never with the
    function's, for the provider keeps `source_code_hash` as it was configured.
    """
    return any(
        before["code_sha256"] != before["source_code_hash"]
        for resource in plan.get("resource_changes", [])
        if resource["type"] == _FUNCTION
        if (before := resource["change"]["before"])
    )


def _change(resource: dict[str, Any], configured: set[str], serves: bool) -> Change:
    change, kind = resource["change"], resource["type"]
    attributes = tuple(_changed(change, configured))
    action = _action(change["actions"])
    if kind == _FUNCTION:
        at_once = not _FUNCTIONS_OWN.isdisjoint(attributes)
    else:
        only_tags = action == "update" and all(name.startswith("tags") for name in attributes)
        at_once = kind in _AT_ONCE and not only_tags
    return Change(
        address=resource["address"],
        action=action,
        attributes=attributes,
        guarded=kind not in _REPLACED_BY_DESIGN,
        at_once=serves and at_once,
    )


def _action(actions: list[str]) -> str:
    return actions[0] if len(actions) == 1 else "replace"


def _changed(change: dict[str, Any], configured: set[str]) -> Iterator[str]:
    """Yield the names of attributes that change, one level into those that hold others.

    Of a replacement, those that force it. What is known only after the apply is named if the
    configuration sets it; the rest (an ARN, a time) merely follows from the change.
    """
    if forcing := change.get("replace_paths"):
        yield from sorted(".".join(map(str, path)) for path in forcing)
        return
    before, after = change.get("before") or {}, change.get("after") or {}
    unknown = change.get("after_unknown") or {}
    for name in sorted(before.keys() | after.keys() | unknown.keys()):
        if unknown.get(name) is True:
            if name in configured:
                yield name
        elif before.get(name) != after.get(name):
            yield from _inside(name, before.get(name), after.get(name))


def _inside(name: str, before: Any, after: Any) -> Iterator[str]:
    """Yield `name`, or the names in it (`environment.variables.X`), that differ."""
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after) == 1:
        before, after = before[0], after[0]
    if not (isinstance(before, dict) and isinstance(after, dict)):
        yield name
        return
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield from _inside(f"{name}.{key}", before.get(key), after.get(key))


def _configured_attributes(plan: dict[str, Any]) -> dict[str, set[str]]:
    module = plan.get("configuration", {}).get("root_module", {})
    return {
        resource["address"]: set(resource.get("expressions", {}))
        for resource in module.get("resources", [])
    }


def _digest(effects: list[tuple[str, dict[str, Any]]]) -> str:
    """Return a digest of what the plan would do, whatever the order or time of planning."""
    wanted = ("actions", "before", "after", "after_unknown")
    return _digest_of_lines(
        json.dumps([address, {name: change.get(name) for name in wanted}], sort_keys=True)
        for address, change in effects
    )


def _effect(address: str, change: dict[str, Any]) -> list[Any]:
    """Return what a plan does to one thing: the actions, and the new values of what changes.

    Neither what was there before, nor which bundle it is: every merge has another one of each.
    """
    before, after = change.get("before"), change.get("after")
    if isinstance(before, dict) or isinstance(after, dict):
        before, after = before or {}, after or {}
        after = {
            name: value
            for name, value in after.items()
            if name not in _OF_THE_BUNDLE and value != before.get(name)
        }
    unknown = change.get("after_unknown") or {}
    if isinstance(unknown, dict):
        unknown = sorted(name for name, is_unknown in unknown.items() if is_unknown is True)
    return [address, change["actions"], after, unknown]


def _digest_of_lines(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def in_words(planned: PlannedChanges) -> list[str]:
    """Return what a plan does, a line each."""
    if planned.empty:
        return ["No changes."]
    lines = [change.in_words() for change in planned.changes]
    if planned.outputs:
        lines.append(f"    outputs: {', '.join(planned.outputs)}")
    return lines
