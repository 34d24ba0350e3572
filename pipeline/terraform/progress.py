"""How far an apply has come, by Terraform's own messages."""

from __future__ import annotations

import logging
from typing import Any

from pipeline.progress import Bar

log = logging.getLogger(__name__)

# How many operations each planned action takes; others, such as reading, change nothing.
_OPERATIONS = {"create": 1, "update": 1, "delete": 1, "replace": 2}


class ApplyProgress:
    """Says what was changed, and shows how many resources of how many, and which are under way.

    Source of the messages: Terraform's documentation, "Machine-Readable UI".
    """

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._left: dict[str, int] = {}
        self._under_way: list[str] = []

    def take(self, message: dict[str, Any]) -> None:
        """Process one message."""
        kind = message.get("type")
        if kind == "planned_change":
            change = message["change"]
            if operations := _OPERATIONS.get(change["action"]):
                self._left[change["resource"]["addr"]] = operations
        elif kind == "apply_start":
            self._under_way.append(message["hook"]["resource"]["addr"])
        elif kind in ("apply_complete", "apply_errored"):
            log.info(f"         {message['@message']}")
            self._end(message["hook"]["resource"]["addr"])
        self._show()

    def _end(self, address: str) -> None:
        if address in self._under_way:
            self._under_way.remove(address)
        if address in self._left:
            self._left[address] -= 1

    def _show(self) -> None:
        total = len(self._left)
        done = sum(left < 1 for left in self._left.values())
        self._bar.update(
            done, f"{done} of {total} resources  {', '.join(self._under_way)}", total=total
        )
