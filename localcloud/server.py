"""The process that is localcloud: it starts every part, says where they are, and ends them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shlex
import signal
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from wsgiref.types import WSGIApplication

import boto3
from flask import Flask
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from localcloud import mongodb, provider_mirror
from localcloud.moto_patches import patches
from localcloud.iam.guard import Access, Sessions
from localcloud.runtime.invoker import Functions
from localcloud.gateway import HttpApi
from localcloud.runtime.pool import Pool

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
_FUNCTION = tomllib.loads(Path(__file__).parent.with_name("function.toml").read_text("utf-8"))
SERVICE = _FUNCTION["name"]
_ENVIRONMENTS = sorted(
    path.parent.name
    for path in Path(__file__).parent.with_name("terraform").glob("environments/*/rollout.toml")
)
_SETTINGS_OF_ANOTHER_ACCOUNT = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN")


def serve(folder: Path) -> None:
    """Run localcloud with its files in `folder` until SIGTERM or SIGINT.

    The file `env` appears in `folder` when everything answers.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    _forget_the_persons_own_account()
    with _running(folder) as settings:
        _write_env(folder, settings)
        threading.Event().wait()


def _leave(*_: object) -> None:
    """End the main thread wherever it is, also while it is still starting things."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    sys.exit()


def _forget_the_persons_own_account() -> None:
    """Drop the settings that would keep our own AWS clients from this machine's AWS."""
    for name in _SETTINGS_OF_ANOTHER_ACCOUNT:
        os.environ.pop(name, None)
    os.environ["no_proxy"] = _no_proxy()


def _no_proxy() -> str:
    """Return the person's exceptions from their proxy, and this machine."""
    theirs = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    return f"127.0.0.1,{theirs}" if theirs else "127.0.0.1"


@contextlib.contextmanager
def _running(folder: Path) -> Iterator[dict[str, str]]:
    """Start every part; give the settings that a shell needs to use them."""
    with contextlib.ExitStack() as parts:
        mongodb_uri = os.environ.get("MONGODB_URI") or parts.enter_context(
            mongodb.running(folder / "mongodb")
        )
        pool = Pool(REGION)
        parts.callback(pool.close)
        function_environment = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
        sessions = Sessions(ACCOUNT_ID, REGION)
        functions = Functions(folder / "code", pool, function_environment, sessions.of)
        (folder / "code").mkdir()
        api_root = parts.enter_context(_serving(HttpApi(functions, ACCOUNT_ID, REGION)))
        patches.fill(functions, api_root)
        access = Access(ACCOUNT_ID, REGION, folder / "calls")
        moto = DomainDispatcherApplication(lambda service: _moto(service, access))
        aws = parts.enter_context(_serving(moto))
        function_environment["AWS_ENDPOINT_URL"] = aws
        settings = _credentials() | {"AWS_ENDPOINT_URL": aws}
        people = _for_people(folder, api_root, mongodb_uri)
        _prepare_account(aws, mongodb_uri, people["API_KEY"])
        yield settings | people


def _moto(service: str, access: Access) -> Flask:
    """Return moto's application for a service; what it does not know is refused at once.

    As an internal error it would be: tried again by every SDK, for minutes.
    """
    application: Flask = create_backend_app(service)
    application.register_error_handler(
        NotImplementedError, lambda error: ({"message": f"moto: {error}"}, 501)
    )
    access.guard(application, service)
    return application


@contextlib.contextmanager
def _serving(application: WSGIApplication) -> Iterator[str]:
    """Serve a WSGI application on a free loopback port; give its URL."""
    server = make_server(
        "127.0.0.1", 0, application, threaded=True, request_handler=_QuietRequestHandler
    )
    # Looking this often whether it is time to stop keeps `down` quick.
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        server.server_close()


class _QuietRequestHandler(WSGIRequestHandler):
    """Takes what HTTP/1.1 has (chunked bodies, 100-continue); logs no line for each request.

    Connections are closed after each answer all the same: werkzeug's server knows no other way.
    """

    protocol_version = "HTTP/1.1"

    def log_request(self, *_: object) -> None:
        pass


def _credentials() -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "localcloud",
        "AWS_SECRET_ACCESS_KEY": "localcloud",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }


def _prepare_account(aws: str, mongodb_uri: str, api_key: str) -> None:
    """Make what a person makes once an account: the two buckets and the secret parameters."""
    session = boto3.Session(
        aws_access_key_id="localcloud", aws_secret_access_key="localcloud", region_name=REGION
    )
    s3 = session.client("s3", endpoint_url=aws)
    for purpose in ("terraform-state", "artifacts"):
        bucket = f"{SERVICE}-{purpose}-{ACCOUNT_ID}"
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    ssm = session.client("ssm", endpoint_url=aws)
    # Another function's secrets have no service behind them on this machine.
    values = {name: secrets.token_urlsafe(24) for name in _FUNCTION.get("secrets", [])}
    values |= {"mongodb-uri": mongodb_uri} if "mongodb-uri" in values else {}
    for environment in _ENVIRONMENTS:
        for name, value in (values | {"smoke-api-key": api_key}).items():
            ssm.put_parameter(
                Name=f"/{SERVICE}/{environment}/{name}", Value=value, Type="SecureString"
            )


def _for_people(folder: Path, api_root: str, mongodb_uri: str) -> dict[str, str]:
    """Return the settings that are about this project rather than about AWS."""
    api_key = secrets.token_urlsafe(24)
    settings = {
        "API_URL": f"{api_root}/{SERVICE}-local",
        "API_KEY": api_key,
        "MONGODB_URI": mongodb_uri,
        "no_proxy": os.environ["no_proxy"],
        "TF_VAR_api_keys": json.dumps({hashlib.sha256(api_key.encode()).hexdigest(): "read write"}),
        "TF_DATA_DIR": str(folder / "terraform"),
    }
    if config := provider_mirror.cli_config(folder):
        settings["TF_CLI_CONFIG_FILE"] = str(config)
    return settings


def _write_env(folder: Path, settings: dict[str, str]) -> None:
    lines = [f"export {name}={shlex.quote(value)}" for name, value in settings.items()]
    # A profile or token of the user's own account would win over these, or clash with them.
    lines.append(f"unset {' '.join(_SETTINGS_OF_ANOTHER_ACCOUNT)}")
    unfinished = folder / "env.unfinished"
    unfinished.touch(mode=0o600)
    unfinished.write_text("\n".join(lines) + "\n")
    unfinished.rename(folder / "env")
