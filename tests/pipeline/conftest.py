"""What tests of what the artifact bucket holds share: an account with an empty one."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from pipeline.aws import Aws


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """S3 as moto serves it over HTTP."""
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def account(server: str) -> Aws:
    """An account with nothing in it but an empty artifact bucket."""
    urllib.request.urlopen(f"{server}/moto-api/reset", data=b"").close()
    session = boto3.Session("key", "secret", region_name="us-east-1")
    account = Aws(
        account_id="123456789012",
        region="us-east-1",
        functions=session.client("lambda", endpoint_url=server),
        s3=session.client("s3", endpoint_url=server),
        session=session,
    )
    account.s3.create_bucket(Bucket=account.artifact_bucket)
    return account
