"""Who gets in: the Data API's authentication cases."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from scratch.events import KEY, api_keys
from tests.support.handler import Container

PATH = "/api/data/v1/action/findOne"
NO_CREDENTIALS = "no authentication methods were specified"
WRONG = "invalid session: error finding user for endpoint"


def sha256(key: str) -> str:
    """Return a key's hash, as the configuration has it."""
    return hashlib.sha256(key.encode()).hexdigest()


@pytest.mark.parametrize(
    ("headers", "status", "code", "message"),
    [
        ({}, 400, "InvalidParameter", NO_CREDENTIALS),
        # What the hosted API took besides, and this service does not offer.
        ({"email": "a@example.com", "password": "x"}, 400, "InvalidParameter", NO_CREDENTIALS),
        ({"jwtTokenString": "eyJhbGciOiJub25lIn0.e30."}, 400, "InvalidParameter", NO_CREDENTIALS),
        ({"apiKey": "wrong"}, 401, "InvalidSession", WRONG),
        ({"apiKey": KEY + " "}, 401, "InvalidSession", WRONG),
        ({"apiKey": KEY.upper()}, 401, "InvalidSession", WRONG),
        ({"apiKey": sha256(KEY)}, 401, "InvalidSession", WRONG),
        ({"apiKey": "\ud800☃"}, 401, "InvalidSession", WRONG),
        ({"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}, 401, "InvalidSession", WRONG),
        ({"Authorization": f"Bearer {KEY}"}, 401, "InvalidSession", WRONG),
        ({"apiKey": KEY, "Authorization": "Bearer x"}, 401, "InvalidSession", WRONG),
        ({"apiKey": KEY, "api-key": "other"}, 400, "InvalidParameter", None),
        ({"apiKey": ""}, 400, "MissingParameter", "the header apiKey is empty"),
        ({"Authorization": "Basic eDp5"}, 400, "InvalidParameter", NO_CREDENTIALS),
    ],
)
def test_bad_credentials_get_the_reference_s_errors(
    container: Container, headers: dict[str, str], status: int, code: str, message: str | None
) -> None:
    """Each case has its status and error object, before the body is looked at.

    Which code is whose: the schemas ErrorNoAuthenticationSpecified and
    ErrorMissingAuthenticationParameter of MongoDB's OpenAPI document for the Data API.
    """
    reply = container.call("POST", PATH, headers=headers, body="{not even JSON")

    assert (reply.status, reply.json["error_code"]) == (status, code)
    assert set(reply.json) == {"error", "error_code", "link"}
    assert message in (None, reply.json["error"])


@pytest.mark.parametrize(
    "headers",
    [
        {"apiKey": KEY},
        {"api-key": KEY},
        {"apiKey": KEY, "api-key": KEY},
        # A function URL or API that wants AWS's signature takes this header for it.
        {"apiKey": KEY, "Authorization": "AWS4-HMAC-SHA256 Credential=x, Signature=y"},
    ],
)
def test_a_key_opens_the_data_routes(container: Container, headers: dict[str, str]) -> None:
    """Both of the header names that clients use are read."""
    reply = container.call("POST", PATH, headers=headers, body="{}")

    assert reply.json["error"] == "missing required field: dataSource"


@pytest.mark.parametrize("keys", [None, "", "{}"])
@pytest.mark.parametrize("key", [KEY, " ", sha256("")])
def test_without_configured_keys_the_data_routes_are_closed(
    container: Container, monkeypatch: pytest.MonkeyPatch, keys: str | None, key: str
) -> None:
    """No key is a right one where none is configured; the health route stays open."""
    monkeypatch.delenv("API_KEYS")
    if keys is not None:
        monkeypatch.setenv("API_KEYS", keys)
    reply = container.call("POST", PATH, headers={"apiKey": key}, body="{}")

    assert (reply.status, reply.json["error_code"]) == (401, "InvalidSession")
    assert container.health().status == 200


@pytest.mark.parametrize(
    "keys",
    [
        "{",
        "[]",
        "null",
        "7",
        f'"{sha256(KEY)}"',
        json.dumps([sha256(KEY)]),
        json.dumps({KEY: "read write"}),
        json.dumps({sha256(KEY).upper(): "read write"}),
        json.dumps({sha256(KEY): ["read", "write"]}),
        json.dumps({sha256(KEY): None}),
        json.dumps({sha256(KEY): "read,write"}),
        json.dumps({sha256(KEY): "read admin"}),
        json.dumps({sha256(KEY): "READ"}),
        json.dumps({sha256(KEY): "read:"}),
        json.dumps({sha256(KEY): "read:shop."}),
        json.dumps({sha256(KEY): "read write", sha256("other"): "reed"}),
    ],
)
def test_malformed_keys_close_the_data_routes_and_the_log_says_so(
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    keys: str,
) -> None:
    """Neither the caller nor the log learns what stands there: it may be a key itself."""
    monkeypatch.setenv("API_KEYS", keys)
    reply = container.call("POST", PATH, headers={"apiKey": KEY}, body="{}")

    assert (reply.status, reply.json["error_code"]) == (500, "InternalServerError")
    assert reply.json["error"] == "internal server error"
    assert "API_KEYS must be a JSON object" in caplog.text
    assert KEY not in caplog.text + "".join(capfd.readouterr())
    assert container.health().status == 200


@pytest.mark.parametrize("key", ["first", "third", "wrong"])
def test_a_key_is_compared_with_every_accepted_one(
    container: Container, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Neither the number of comparisons nor one's duration reveals which key was similar."""
    compared: list[str] = []

    def compare(given: str, accepted: str) -> bool:
        compared.append(accepted)
        assert given == sha256(key)
        return compare_digest(given, accepted)

    compare_digest = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", compare)
    keys = ("first", "second", "third")
    monkeypatch.setenv("API_KEYS", api_keys(dict.fromkeys(keys, "read")))
    container.call("POST", PATH, headers={"apiKey": key}, body="{}")

    assert compared == [sha256(each) for each in keys]
