"""What the handler prints: a line that people look for, and one that machines read."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest
from pymongo.collection import Collection

from scratch import events
from scratch.events import KEY
from tests.support.handler import Container, Document
from scratch.source import ROOT

HEALTH = "/api/health"


def _printed(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, dict[str, Any]]]:
    """Return the two lines of each request."""
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    return [
        (output, json.loads(text)) for output, text in zip(lines[::2], lines[1::2], strict=True)
    ]


def test_each_request_prints_its_method_and_path_and_how_it_was_answered(
    container: Container, collection: Collection[Document], capsys: pytest.CaptureFixture[str]
) -> None:
    """And who sent it, in the first digits of the key's hash; neither documents nor keys."""
    container.act("insertOne", collection, document={"name": "private"})
    container.health()

    (output, text), (said_of_health, told_of_health) = _printed(capsys)
    assert output == "Method: POST, Path: /api/data/v1/action/insertOne"
    assert said_of_health == "Method: GET, Path: /api/health"
    assert 0 < text.pop("durationMs") < 10_000
    assert text == {
        "requestId": "c3d4",
        "method": "POST",
        "path": "/api/data/v1/action/insertOne",
        "status": 201,
        "errorCode": None,
        "caller": hashlib.sha256(KEY.encode()).hexdigest()[:8],
        "functionVersion": "7",
        "qualifier": "live",
        "databaseFailed": False,
    }
    assert (told_of_health["path"], told_of_health["status"]) == (HEALTH, 200)


def test_a_database_out_of_reach_can_be_counted(
    container: Container, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever route met it; what a caller did wrong is no failure of the database."""
    monkeypatch.setenv("MONGODB_URI", "mongodb://nowhere.invalid/")
    container.health(limit_s=1)
    container.call("GET", "/api/nothing")

    (_, failed), (_, refused) = _printed(capsys)
    assert (failed["status"], failed["databaseFailed"]) == (503, True)
    assert (refused["status"], refused["databaseFailed"]) == (404, False)
    assert (failed["errorCode"], refused["errorCode"]) == (None, "NotFound")


def test_a_call_without_a_qualifier_names_none(
    container: Container, capsys: pytest.CaptureFixture[str]
) -> None:
    for arn in ("live", "7", None):
        container.invoke(events.http_api("GET", HEALTH, {}, None), qualifier=arn)
    assert [text["qualifier"] for _, text in _printed(capsys)] == ["live", "7", None]


def test_an_event_that_is_no_request_is_reported_too(
    container: Container, capsys: pytest.CaptureFixture[str]
) -> None:
    container.invoke({})
    text = json.loads(capsys.readouterr().out)
    assert (text["method"], text["path"], text["status"]) == (None, None, 400)


@pytest.mark.parametrize("break_", ["\n", "\r", "\u2028", "\x85", "\x1b[2K", "\ud800", '"'])
def test_a_path_cannot_forge_a_line_of_the_log(
    container: Container, capsys: pytest.CaptureFixture[str], break_: str
) -> None:
    """Line breaks and control characters are written in escapes, in both lines."""
    forged = f'/{break_}, "status": 200, Method: GET, Path: /api/health'
    container.call(f"GET{break_}x", forged)

    printed = capsys.readouterr().out
    assert printed.replace("\n", "").isprintable() and printed.isascii()
    output, text = printed.splitlines()
    assert output.startswith("Method: GET") and json.loads(text)["path"] == forged
    assert json.loads(text)["status"] == 404


def test_what_cloudwatch_counts_by_is_in_the_line(
    container: Container, capsys: pytest.CaptureFixture[str]
) -> None:
    """The metric filters in terraform/ name fields of the line as it really is."""
    container.health()
    [(_, text)] = _printed(capsys)
    lines = (ROOT / "terraform" / "metrics.tf").read_text().splitlines()
    patterns = [line for line in lines if "$.qualifier" in line]
    assert len(patterns) == 2
    assert set(re.findall(r"\$\.(\w+)", "".join(patterns))) <= set(text)
