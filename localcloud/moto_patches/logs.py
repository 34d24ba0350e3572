"""CloudWatch Logs' FilterLogEvents, with what moto lacks of it and what AWS has at times.

Each function that fills a gap of moto 5.2.5 names it.
"""

from __future__ import annotations

import json
import random
import time
from typing import Any

from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.responses import LogsResponse

from localcloud import conditions

# "FilterLogEvents", CloudWatch Logs API reference.
_MOST_EVENTS = 10_000
_PAGE = "localcloud-page-"


def fill() -> None:
    """Fill the gaps of FilterLogEvents."""
    _events_come_by_stream_late_and_in_pages()


def _events_come_by_stream_late_and_in_pages() -> None:
    """moto does not know logStreamNamePrefix; it has every event at once, in order."""

    def filter_log_events(self: LogsResponse) -> str:
        group = self.logs_backend.groups.get(self._get_param("logGroupName"))
        if group is None:
            raise ResourceNotFoundException

        def condition(name: str) -> str | None:
            return conditions.value(self.current_account, self.region, name)

        found = [
            event
            for name, stream in list(group.streams.items())
            if name.startswith(self._get_param("logStreamNamePrefix") or "")
            for event in stream.filter_log_events(
                self._get_param("startTime"),
                self._get_param("endTime"),
                self._get_param("filterPattern"),
            )
        ]
        if delay := condition("log-delay"):
            found = _arrived(found, float(delay))
        # Python's sort leaves those of one millisecond in the order that they have.
        found.sort(key=lambda event: event["timestamp"])
        pages = _pages(found, int(condition("log-page") or 0))
        number = int((self._get_param("nextToken") or f"{_PAGE}0").removeprefix(_PAGE))
        answer: dict[str, Any] = {"events": pages[number], "searchedLogStreams": []}
        if number + 1 < len(pages):
            answer["nextToken"] = f"{_PAGE}{number + 1}"
        return json.dumps(answer)

    LogsResponse.filter_log_events = filter_log_events


def _arrived(events: list[Any], delay_s: float) -> list[Any]:
    """Return the events that have arrived, in no order."""
    until_ms = (time.time() - delay_s) * 1000
    arrived = [event for event in events if event["timestamp"] <= until_ms]
    return random.sample(arrived, len(arrived))


def _pages(events: list[Any], most: int) -> list[list[Any]]:
    """Return the pages. With a page size that a test sets, an empty page comes before each."""
    size = most or _MOST_EVENTS
    pages = [events[begin : begin + size] for begin in range(0, len(events), size)] or [[]]
    return [page for each in pages for page in ([], each)] if most else pages
