"""What happens when the connection string is refused, unusable, or not available."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.server import ThreadedMotoServer
from pymongo.collection import Collection

from scratch.mongodb import Mongod
from tests.handler.unavailable import (
    LIMIT_S,
    act,
    assert_unavailable,
    assert_unhealthy,
    dead_port,
)
from tests.support.handler import Container, Document

PASSWORD = "pa55-w0rd"
PARAMETER = "/mongo-client/test/mongodb-uri"


def test_refused_credentials_are_503_and_repeat_nothing(
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
    server: Mongod,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A password that MongoDB does not take is the service's fault; the log says which fault."""
    uri = f"mongodb://someone:{PASSWORD}@127.0.0.1:{server.port}/"
    monkeypatch.setenv("MONGODB_URI", uri)

    replies = act(container), container.health(LIMIT_S)
    assert_unavailable(replies[0])
    assert "Authentication failed" in caplog.text
    logged = caplog.text + "".join(capfd.readouterr())
    for reply in replies:
        for secret in (PASSWORD, "someone", "127.0.0.1", str(server.port), "Traceback"):
            assert secret not in json.dumps(reply.response)
    assert PASSWORD not in logged and "someone" not in logged


def test_new_credentials_are_taken_without_a_new_container(
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
    server: Mongod,
) -> None:
    """Where a password was changed, the connection string is read again once it is refused."""
    monkeypatch.setenv("MONGODB_URI", f"mongodb://someone:{PASSWORD}@127.0.0.1:{server.port}/")
    assert_unavailable(act(container))
    monkeypatch.setenv("MONGODB_URI", server.uri)
    assert act(container).status == 200


@pytest.mark.parametrize(
    "uri",
    [
        "",
        f"http://someone:{PASSWORD}@example.com/",
        f"mongodb://someone:{PASSWORD}/x@example.com/",
        f"mongodb://someone:1/{PASSWORD} x@example.com/",
        f"mongodb://someone:{PASSWORD}@x@example.com/",
        f"mongodb://someone:x@example.com:{PASSWORD}/",
        f"mongodb://someone:x@example.com/?authMechanism={PASSWORD}",
        f"mongodb+srv://{PASSWORD}:1/",
    ],
)
def test_an_unusable_connection_string_is_503_and_repeats_nothing(
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    uri: str,
) -> None:
    """Such an error quotes what it could not read, so its text goes nowhere."""
    monkeypatch.setenv("MONGODB_URI", uri)

    assert_unavailable(act(container))
    assert_unhealthy(container.health(LIMIT_S))
    assert "database unavailable" in caplog.text
    assert PASSWORD not in caplog.text


def test_an_absent_connection_string_is_503_until_it_is_there(
    container: Container,
    collection: Collection[Document],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Configuration is read at the first request that needs it, and again after a failure."""
    uri = os.environ["MONGODB_URI"]
    monkeypatch.delenv("MONGODB_URI")
    assert_unavailable(act(container, collection, limit_s=60))

    monkeypatch.setenv("MONGODB_URI", uri)
    assert act(container, collection, limit_s=60).status == 200


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """Address of an AWS on this machine."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def ssm(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The parameter store, as the handler is configured for it; the parameter is not there yet."""
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    environment = {"AWS_ENDPOINT_URL": aws, "AWS_REGION": "eu-central-1", **credentials}
    for name, value in {**environment, "MONGODB_URI_PARAMETER": PARAMETER}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    client = boto3.client("ssm", region_name="eu-central-1")
    yield client
    with contextlib.suppress(client.exceptions.ParameterNotFound):
        client.delete_parameter(Name=PARAMETER)


def test_the_connection_string_comes_from_the_parameter_and_is_read_once(
    container: Container,
    collection: Collection[Document],
    mongodb: str,
    monkeypatch: pytest.MonkeyPatch,
    ssm: Any,
) -> None:
    """The parameter is decrypted, goes before MONGODB_URI, and is read once per container."""
    monkeypatch.setenv("MONGODB_URI", "mongodb://nowhere.invalid/")
    ssm.put_parameter(Name=PARAMETER, Value=mongodb, Type="SecureString")
    assert act(container, collection, limit_s=60).status == 200

    ssm.delete_parameter(Name=PARAMETER)
    assert act(container, collection, limit_s=60).status == 200


def test_a_missing_parameter_is_503_until_it_is_there(
    container: Container,
    collection: Collection[Document],
    mongodb: str,
    ssm: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log names the fault, the caller learns nothing, and the next request tries again."""
    assert_unhealthy(container.health())
    assert_unavailable(act(container, collection, limit_s=60))
    assert "ParameterNotFound" in caplog.text

    ssm.put_parameter(Name=PARAMETER, Value=mongodb, Type="SecureString")
    assert act(container, collection, limit_s=60).status == 200


@pytest.mark.parametrize("kind", ["closed", "silent"])
def test_a_parameter_store_out_of_reach_is_503_within_the_time_limit(
    container: Container, monkeypatch: pytest.MonkeyPatch, ssm: Any, kind: str
) -> None:
    """Refused or unanswered, the call to the parameter store ends before Lambda's deadline."""
    with dead_port(kind) as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")

        assert_unavailable(act(container, limit_s=3))


@dataclass
class Store:
    """An HTTP server in the parameter store's place: what it answers, and what it was sent."""

    server: ThreadingHTTPServer
    answers: list[tuple[int, Document]] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, ssm: Any) -> Iterator[Store]:
    """A parameter store that answers what a test says, the last answer again and again."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            fake.requests.append((self.command, self.path, headers, body))
            status, answer = fake.answers.pop(0) if fake.answers[1:] else fake.answers[0]
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake = Store(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", fake.url)
        yield fake
        server.shutdown()


@pytest.mark.parametrize(
    "failure",
    [
        (500, {"__type": "InternalServerError"}),
        (400, {"__type": "ThrottlingException", "message": "Rate exceeded"}),
    ],
)
def test_a_parameter_store_that_fails_once_is_called_again(
    container: Container,
    collection: Collection[Document],
    mongodb: str,
    store: Store,
    failure: tuple[int, Document],
) -> None:
    """Many containers that start at once are throttled; a moment later the answer is there."""
    store.answers = [failure, (200, {"Parameter": {"Value": mongodb}})]

    assert act(container, collection, limit_s=60).status == 200
    assert len(store.requests) == 2


@pytest.mark.parametrize("token", [None, "a-session-token/+="])
def test_the_request_for_the_parameter_is_signed_as_botocore_signs_it(
    container: Container,
    collection: Collection[Document],
    mongodb: str,
    monkeypatch: pytest.MonkeyPatch,
    store: Store,
    token: str | None,
) -> None:
    """AWS refuses any other signature than Signature Version 4's."""
    if token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    store.answers = [(200, {"Parameter": {"Value": mongodb}})]
    assert act(container, collection, limit_s=60).status == 200

    [(method, path, headers, body)] = store.requests
    assert json.loads(body) == {"Name": PARAMETER, "WithDecryption": True}
    assert headers["x-amz-target"] == "AmazonSSM.GetParameter"
    assert headers.get("x-amz-security-token") == token
    assert signature_of(method, store.url + path, headers, body, token) == headers["authorization"]


@pytest.mark.parametrize(("is_trusted", "status"), [(True, 200), (False, 503)])
def test_the_parameter_store_s_certificate_is_verified(
    new_container: Callable[[], Container],
    collection: Collection[Document],
    mongodb: str,
    monkeypatch: pytest.MonkeyPatch,
    store: Store,
    tmp_path: Path,
    is_trusted: bool,
    status: int,
) -> None:
    """The request has the session's token, so it must go to AWS only."""
    store.answers = [(200, {"Parameter": {"Value": mongodb}})]
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    store.server.socket = context.wrap_socket(store.server.socket, server_side=True)
    monkeypatch.setenv(
        "AWS_ENDPOINT_URL", store.url.replace("http://127.0.0.1", "https://localhost")
    )
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    assert act(new_container(), collection, limit_s=60).status == status
    assert bool(store.requests) == is_trusted


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "ssm.eu-central-1.amazonaws.com"),
        ("us-gov-west-1", "ssm.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "ssm.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_parameter_is_requested_at_the_region_s_endpoint(
    container: Container, ssm: Any, monkeypatch: pytest.MonkeyPatch, region: str, host: str
) -> None:
    """The same as botocore's, which knows the endpoints of every partition."""
    requested = []

    def send(url: str, headers: dict[str, str], *_: object) -> Document:
        requested.append((url, headers["host"]))
        return {"Parameter": {"Value": "mongodb://x"}}

    monkeypatch.setattr(container.module, "_send", send)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_REGION", region)

    assert boto3.client("ssm", region).meta.endpoint_url == f"https://{host}"
    assert container.module.read_parameter(PARAMETER, 1.0) == "mongodb://x"
    assert requested == [(f"https://{host}", host)]


def signature_of(
    method: str, url: str, headers: dict[str, str], body: bytes, token: str | None
) -> str:
    """Return the header Authorization that botocore gives to the same request of the same time."""
    names = ("content-type", "host", "x-amz-date", "x-amz-security-token", "x-amz-target")
    request = AWSRequest(method, url, {n: headers[n] for n in names if n in headers}, body)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials("test", "test", token), "ssm", "eu-central-1")
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signed = signer.signed_headers(signer.headers_to_sign(request))
    signature = signer.signature(text, request)
    scope = f"test/{headers['x-amz-date'][:8]}/eu-central-1/ssm/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={signed}, Signature={signature}"


def test_a_restored_snapshot_takes_its_credentials_from_lambda_s_address(
    container: Container,
    collection: Collection[Document],
    mongodb: str,
    monkeypatch: pytest.MonkeyPatch,
    store: Store,
) -> None:
    """With SnapStart, Lambda sets AWS_CONTAINER_CREDENTIALS_FULL_URI in place of the variables."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{store.url}/2013-11-29/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "the-environment-s-token")
    given = {"AccessKeyId": "test", "SecretAccessKey": "test", "Token": "given", "Expiration": ""}
    store.answers = [(200, given), (200, {"Parameter": {"Value": mongodb}})]
    assert act(container, collection, limit_s=60).status == 200

    (method, path, requested, _), (_, root, headers, body) = store.requests
    assert (method, path) == ("GET", "/2013-11-29/credentials")
    assert requested["authorization"] == "the-environment-s-token"
    assert headers["x-amz-security-token"] == "given"
    assert (
        signature_of("POST", store.url + root, headers, body, "given") == headers["authorization"]
    )
