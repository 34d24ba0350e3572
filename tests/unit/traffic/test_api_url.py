"""Calling the API at its URL: what API Gateway answers by itself fails a release."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.traffic import api_url
from pipeline.traffic.invoke import Health
from pipeline.errors import CheckFailedError
from pipeline.terraform.plan import Change, PlannedChanges

_OWN = b'{"message":"Internal Server Error"}'


@dataclass
class Gateway:
    """An HTTP server that answers with one status after the other; the last one stays."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            gateway.paths.append(self.path)
            status = gateway.answers.pop(0) if len(gateway.answers) > 1 else gateway.answers[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(_OWN)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        gateway.url = f"http://127.0.0.1:{server.server_port}/stage"
        yield gateway
        server.shutdown()
        thread.join()


def _call(gateway: Gateway, live: str = "200", patience: float = 0) -> Health:
    return api_url.require_answer(gateway.url, lambda: Health(live), patience, pause_s=0)


def test_health_is_called_below_the_apis_url(gateway: Gateway) -> None:
    gateway.answers = [200]
    found = _call(gateway)
    assert found.outcome == "200" and found.milliseconds is not None
    assert gateway.paths == ["/stage/api/health"]


def test_a_new_stage_is_waited_for(gateway: Gateway) -> None:
    """Until it is deployed it answers 404, and a new permission holds a little later: 500."""
    gateway.answers = [404, 404, 500, 200]
    assert _call(gateway, patience=30).outcome == "200"
    assert len(gateway.paths) == 4


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (401, "its route requires a token"),
        (403, "no mapping of the domain"),
        (404, "no route"),
        (500, "has no permission"),
        (503, "the integration does not answer"),
    ],
)
def test_what_api_gateway_answers_by_itself_is_an_error_that_says_where_to_look(
    gateway: Gateway, status: int, cause: str
) -> None:
    gateway.answers = [status]
    with pytest.raises(CheckFailedError, match=cause) as failed:
        _call(gateway)
    assert f"GET {gateway.url}/api/health" in failed.value.message
    assert f"returned {status} (expected 200): {_OWN.decode()}" in failed.value.message
    for word in ("route", "integration", "permission", "mapping"):
        assert word in failed.value.hint


def test_a_database_that_is_down_for_everybody_fails_no_release(gateway: Gateway) -> None:
    """The version answers 503 itself, when it is called directly, too."""
    gateway.answers = [503]
    assert _call(gateway, live="503").outcome == "503"
    gateway.answers = [500]
    with pytest.raises(CheckFailedError, match="live returned 503"):
        _call(gateway, live="503")


def test_an_address_where_nobody_answers_is_an_error() -> None:
    with pytest.raises(CheckFailedError, match="no answer"):
        api_url.require_answer("http://127.0.0.1:9", lambda: Health("200"), 0, pause_s=0)


@pytest.mark.parametrize(
    ("address", "seconds"),
    [
        ("aws_apigatewayv2_stage.default", 60),
        ("aws_lambda_permission.api", 60),
        ("aws_lambda_function.service", 15),
    ],
)
def test_the_patience_is_longer_if_the_plan_changed_the_api(address: str, seconds: float) -> None:
    planned = PlannedChanges((Change(address, "create", (), True),), (), "", "")
    changed = planned.touches(*api_url.RESOURCE_TYPES)
    assert api_url.patience_s(changed=changed) == seconds
