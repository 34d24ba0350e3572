"""FilterLogEvents as AWS has it at times: late, in any order within a millisecond, page by page."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest

from tests.localcloud.aws import Aws
from tests.localcloud.clouds import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def group(aws: Aws) -> Iterator[str]:
    """A log group with twenty events of this very millisecond; conditions end with the test."""
    name = f"/tests/{uuid.uuid4().hex}"
    aws.logs.create_log_group(logGroupName=name)
    aws.logs.create_log_stream(logGroupName=name, logStreamName="stream")
    now = int(time.time() * 1000)
    aws.logs.put_log_events(
        logGroupName=name,
        logStreamName="stream",
        logEvents=[{"timestamp": now, "message": f"line {number:02}"} for number in range(20)],
    )
    yield name
    for condition in ("log-delay", "log-page"):
        aws.parameters.delete_parameters(Names=[f"/localcloud/{condition}"])


def _let(aws: Aws, **conditions: str) -> None:
    for name, value in conditions.items():
        aws.parameters.put_parameter(
            Name=f"/localcloud/{name.replace('_', '-')}", Value=value, Type="String", Overwrite=True
        )


def _pages(aws: Aws, group: str) -> list[list[str]]:
    pages = aws.logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    return [[event["message"] for event in page["events"]] for page in pages]


def test_without_conditions_events_are_there_at_once_and_in_order(aws: Aws, group: str) -> None:
    [page] = _pages(aws, group)
    assert page == sorted(page) and len(page) == 20


def test_events_can_come_late_and_in_any_order(aws: Aws, group: str) -> None:
    in_order = [f"line {number:02}" for number in range(20)]
    _let(aws, log_delay="2")
    assert _pages(aws, group) == [[]]
    assert eventually(lambda: len(_pages(aws, group)[0]) == 20)
    assert sorted(_pages(aws, group)[0]) == in_order
    # Once in 20! times it would be.
    assert any(_pages(aws, group)[0] != in_order for _ in range(2))


def test_pages_can_be_short_and_empty(aws: Aws, group: str) -> None:
    _let(aws, log_page="8")
    pages = _pages(aws, group)
    assert [len(page) for page in pages] == [0, 8, 0, 8, 0, 4]
    assert len({line for page in pages for line in page}) == 20
