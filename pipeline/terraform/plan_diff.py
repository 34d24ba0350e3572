"""Compare a plan with the reviewed plan of a pull request, without values."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pipeline.terraform.plan import PlannedChanges

PAST = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "destroyed",
    "forget": "forgotten",
}


@dataclass(frozen=True)
class PlanSnapshot:
    """A plan as far as plan.json has it.

    `changes` has the action, and the names of the attributes that change, by address.
    """

    effects_sha256: str
    changes: Mapping[str, tuple[str, frozenset[str]]]
    outputs: frozenset[str]

    @classmethod
    def of(cls, planned: PlannedChanges) -> Self:
        """Return what plan.json would have for a plan."""
        return cls.from_json(planned.to_json())

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what plan.json holds; raise KeyError, TypeError or ValueError if it is none."""
        return cls(
            effects_sha256=str(data["effects_sha256"]),
            changes={
                str(change["address"]): (
                    str(change["action"]),
                    frozenset(map(str, change["attributes"])),
                )
                for change in data["changes"]
            },
            outputs=frozenset(map(str, data["outputs"])),
        )


def read(file: Path) -> PlanSnapshot | None:
    """Read a plan.json; None if there is none that can be read."""
    try:
        return PlanSnapshot.from_json(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def differences(now: PlanSnapshot, reviewed: PlanSnapshot | None) -> tuple[str, ...]:
    """Return the differences of a plan from the reviewed one, a line each.

    The effects are compared. Values before the change and the bundle are ignored, because they
    differ after every deployment. The lines have names of any origin: escape them for output.
    """
    if reviewed is None:
        return ("the pull request has no plan",)
    if now.effects_sha256 == reviewed.effects_sha256:
        return ()
    effects = (
        *(
            line
            for address in sorted(now.changes.keys() | reviewed.changes.keys())
            for line in _of_resource(address, now, reviewed)
        ),
        *_of_names("output", now.outputs, reviewed.outputs),
    )
    return effects or ("the same resources and attributes, with other values",)


def _of_resource(address: str, now: PlanSnapshot, reviewed: PlanSnapshot) -> Iterator[str]:
    action, attributes = now.changes.get(address, (None, frozenset()))
    reviewed_action, reviewed_attributes = reviewed.changes.get(address, (None, frozenset()))
    if action != reviewed_action:
        yield f"{address}: {_done(action)}; the reviewed plan has: {_done(reviewed_action)}"
    else:
        yield from _of_names(address, attributes, reviewed_attributes)


def _done(action: str | None) -> str:
    return PAST.get(action, action) if action else "no change"


def _of_names(of: str, now: Collection[str], reviewed: Collection[str]) -> Iterator[str]:
    if more := sorted(set(now) - set(reviewed)):
        yield f"{of}: now changes {', '.join(more)} as well"
    if fewer := sorted(set(reviewed) - set(now)):
        yield f"{of}: does not change {', '.join(fewer)} any more"
