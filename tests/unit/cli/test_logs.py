"""What of the function's log is printed, and since when."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import logs


@pytest.mark.parametrize("since", ["10", "1w", "soon", "-1m"])
def test_a_span_that_is_none_is_refused(since: str) -> None:
    done = CliRunner().invoke(logs.command, ["--environment", "local", f"--since={since}"])
    assert done.exit_code == 2 and "is not a duration" in done.output


@pytest.mark.parametrize(
    ("since", "seconds"), [("30s", 30), ("10m", 600), ("2h", 7200), ("1d", 86400)]
)
def test_a_span_is_in_seconds(since: str, seconds: int) -> None:
    context = click.Context(logs.command)
    assert logs._Since().convert(since, None, context) == seconds


def _events(*lines: tuple[str, str]) -> list[dict[str, Any]]:
    """Return events of the stream [version]id for lines given with it."""
    return [
        {"eventId": str(number), "logStreamName": f"2026/11/23/{stream}", "message": line}
        for number, (stream, line) in enumerate(lines)
    ]


_LOG = _events(
    ("[1]x", "START RequestId: a1 Version: 1"),
    ("[2]y", "START RequestId: b2 Version: 2"),
    ("[1]x", "of a1, without its id"),
    ("[2]y", "of b2, without its id"),
    ("[1]x", "START RequestId: c3 Version: 1"),
    ("[1]x", "of c3, without its id"),
    ("[2]y", "of b2, that names a1"),
)


def _printed(wanted: logs._Wanted, events: list[dict[str, Any]]) -> list[str]:
    return [each["eventId"] for each in wanted.among(events)]


def test_a_version_and_a_request_are_printed_with_all_that_belongs_to_them() -> None:
    """A line without an id belongs to the request that began in its stream."""
    assert _printed(logs._Wanted(None, None), _LOG) == list("0123456")
    assert _printed(logs._Wanted("1", None), _LOG) == list("0245")
    assert _printed(logs._Wanted(None, "a1"), _LOG) == list("026")


def test_what_was_printed_is_not_printed_again() -> None:
    """A later look has the last lines once more; it does not lose what request they are of."""
    wanted = logs._Wanted(None, "c3")
    assert _printed(wanted, _LOG[:5]) == ["4"]
    assert _printed(wanted, _LOG[3:]) == ["5"]
