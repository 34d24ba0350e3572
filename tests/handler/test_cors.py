"""Which pages may call: CORS, as the Fetch standard has it."""

from __future__ import annotations

import pytest

from scratch import events
from tests.support.handler import Container

ORIGIN = "https://app.example.com"
FIND = "/api/data/v1/action/find"
ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "apikey"}


@pytest.fixture
def service(container: Container, monkeypatch: pytest.MonkeyPatch) -> Container:
    """The handler, with two origins configured."""
    monkeypatch.setenv("CORS_ORIGINS", f"{ORIGIN}, http://localhost:3000")
    return container


@pytest.mark.parametrize("make_event", events.ALL)
@pytest.mark.parametrize(("path", "method"), [(FIND, "POST"), ("/api/health", "GET")])
def test_a_page_of_a_configured_origin_may_ask_beforehand(
    service: Container, make_event: events.EventMaker, path: str, method: str
) -> None:
    """Browsers ask without a key, and learn the method and the headers that they may send."""
    headers = {"Origin": ORIGIN, **ASKED}
    reply = service.call("OPTIONS", path, headers=headers, make_event=make_event)

    assert (reply.status, reply.text) == (204, "")
    assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert reply.headers["Access-Control-Allow-Methods"] == method
    allowed = reply.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"apikey", "api-key", "authorization", "content-type", "accept"} == set(allowed)
    assert reply.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "path", ["/api/health", "/api/openapi.json", "/api/nothing", FIND], ids=str
)
def test_a_page_of_a_configured_origin_may_read_every_answer(service: Container, path: str) -> None:
    """Refusals as well, or a page could not tell what is wrong."""
    for origin in (ORIGIN, "http://localhost:3000"):
        reply = service.call("GET", path, headers={"Origin": origin})
        assert reply.headers["Access-Control-Allow-Origin"] == origin
        assert reply.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "*", "", f"{ORIGIN}.evil.example", f"{ORIGIN}/", "http:"],
)
def test_no_other_page_may(service: Container, origin: str) -> None:
    """An origin is compared in full; caches are told that the answer depends on it."""
    for method, status in (("OPTIONS", 405), ("GET", 200)):
        reply = service.call(method, "/api/health", headers={"Origin": origin, **ASKED})
        assert reply.status == status
        assert "Access-Control-Allow-Origin" not in reply.headers
        assert reply.headers["Vary"] == "Origin"


def test_without_configured_origins_no_page_may(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed unless configured."""
    monkeypatch.delenv("CORS_ORIGINS", raising=False)
    for method, status in (("OPTIONS", 405), ("GET", 200)):
        reply = container.call(method, "/api/health", headers={"Origin": ORIGIN, **ASKED})
        assert reply.status == status
        assert not {name for name in reply.headers if name.startswith(("Access", "Vary"))}


def test_what_is_no_route_has_no_preflight(service: Container) -> None:
    """An unknown path is not found, whoever asks."""
    assert service.call("OPTIONS", "/api/nothing", headers={"Origin": ORIGIN}).status == 404
