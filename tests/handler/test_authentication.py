"""Who gets in: the Data API's authentication cases."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from pymongo.collection import Collection

from tests.handler import events
from tests.handler.container import KEY, Container, Document

PATH = "/api/data/v1/action/findOne"
NO_CREDENTIALS = (
    "must specify some form of authentication (either email+password, api-key, or jwt) "
    "in the request header or body"
)
WRONG = "invalid session: error finding user for endpoint"


def sha256(key: str) -> str:
    """Return a key's hash, as the configuration has it."""
    return hashlib.sha256(key.encode()).hexdigest()


@pytest.mark.parametrize(
    ("headers", "status", "code", "message"),
    [
        ({}, 400, "MissingParameter", NO_CREDENTIALS),
        ({"apiKey": "wrong"}, 401, "InvalidSession", WRONG),
        ({"apiKey": KEY + " "}, 401, "InvalidSession", WRONG),
        ({"apiKey": KEY.upper()}, 401, "InvalidSession", WRONG),
        ({"apiKey": sha256(KEY)}, 401, "InvalidSession", WRONG),
        ({"apiKey": "\ud800☃"}, 401, "InvalidSession", WRONG),
        ({"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}, 401, "InvalidSession", WRONG),
        ({"Authorization": f"Bearer {KEY}"}, 401, "InvalidSession", WRONG),
        ({"apiKey": KEY, "Authorization": "Bearer x"}, 400, "InvalidParameter", None),
        ({"apiKey": KEY, "api-key": "other"}, 400, "InvalidParameter", None),
        ({"apiKey": ""}, 400, "InvalidParameter", "no authentication methods were specified"),
        (
            {"Authorization": "Basic eDp5"},
            400,
            "InvalidParameter",
            "no authentication methods were specified",
        ),
    ],
)
def test_bad_credentials_get_the_reference_s_errors(
    container: Container, headers: dict[str, str], status: int, code: str, message: str | None
) -> None:
    """Each case has its status and error object, before the body is looked at."""
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


def test_any_of_several_keys_opens(
    container: Container, collection: Collection[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys can be changed without a gap: old and new are accepted side by side."""
    hashes = [sha256("old"), sha256(KEY), sha256("new")]
    monkeypatch.setenv("API_KEY_SHA256S", ", ".join(hashes))

    assert container.act("findOne", collection).status == 200


@pytest.mark.parametrize("hashes", [None, "", ",", " , "])
@pytest.mark.parametrize("key", [KEY, " ", ",", sha256("")])
def test_without_configured_keys_the_data_routes_are_closed(
    container: Container, monkeypatch: pytest.MonkeyPatch, hashes: str | None, key: str
) -> None:
    """No key is a right one where none is configured; the health route stays open."""
    monkeypatch.delenv("API_KEY_SHA256S")
    if hashes is not None:
        monkeypatch.setenv("API_KEY_SHA256S", hashes)
    reply = container.call("POST", PATH, headers={"apiKey": key}, body="{}")

    assert (reply.status, reply.json["error_code"]) == (401, "InvalidSession")
    assert container.health().status == 200


@pytest.mark.parametrize("key", ["first", "third", "wrong"])
def test_a_key_is_compared_with_every_accepted_one(
    container: Container, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Neither the number of comparisons nor one's duration tells which key came near."""
    compared: list[bytes] = []

    def compare(_given: bytes, accepted: bytes) -> bool:
        compared.append(accepted)
        return compare_digest(_given, accepted)

    compare_digest = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", compare)
    hashes = [sha256(key) for key in ("first", "second", "third")]
    monkeypatch.setenv("API_KEY_SHA256S", ",".join(hashes))
    container.call("POST", PATH, headers={"apiKey": key}, body="{}")

    assert [one.decode() for one in compared] == hashes


def test_a_key_in_the_path_s_query_opens_nothing(container: Container) -> None:
    """Keys in addresses end up in logs, so they are not taken."""
    event = {
        "version": "2.0",
        "rawPath": PATH,
        "rawQueryString": f"apiKey={KEY}",
        "queryStringParameters": {"apiKey": KEY},
        "headers": {},
        "requestContext": {"http": {"method": "POST", "path": PATH}, "stage": "$default"},
        "body": "{}",
        "isBase64Encoded": False,
    }

    assert container.invoke(event).status == 400


@pytest.mark.parametrize(
    ("configured", "issuer", "status"),
    [
        ("https://issuer.example", "https://issuer.example", 400),
        ("https://issuer.example", "https://other.example", 401),
        (None, "https://issuer.example", 401),
        ("", "", 401),
        ("https://issuer.example", None, 401),
    ],
)
def test_a_token_opens_if_api_gateway_has_verified_it(
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
    configured: str | None,
    issuer: str | None,
    status: int,
) -> None:
    """And only one of the issuer that is configured; a 400 is about the body, further on."""
    if configured is not None:
        monkeypatch.setenv("JWT_ISSUER", configured)
    event = events.http_api("POST", PATH, {"Authorization": "Bearer eyJ"}, "{}")
    if issuer is not None:
        jwt = {"claims": {"iss": issuer, "sub": "somebody"}, "scopes": None}
        event["requestContext"]["authorizer"] = {"jwt": jwt}

    reply = container.invoke(event)
    assert reply.status == status
    assert status == 401 or reply.json["error"] == "missing required field: dataSource"
