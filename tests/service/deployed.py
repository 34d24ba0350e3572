"""The service as it is deployed: built, released to a cloud on this machine, called over HTTP."""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

from tests.support import provider
from scratch import cloud
from scratch.project import Project

LIMIT_S = 10  # timeout_s in terraform/environments/local
_LOG_GROUP = "/aws/lambda/mongo-client-local"


@dataclass(frozen=True)
class Service:
    """A running service, and the settings of the cloud that it runs in."""

    settings: Mapping[str, str]

    @property
    def url(self) -> str:
        """The service's address, without a path."""
        return self.settings["API_URL"]

    @property
    def key(self) -> str:
        """A key that may do everything."""
        return self.settings["API_KEY"]

    def act(self, action: str, **fields: Any) -> tuple[int, Any]:
        """Call an action; return the status, and the body read as JSON."""
        address = urlsplit(self.url)
        assert address.hostname
        body = json.dumps({"dataSource": "mongodb"} | fields)
        headers = {"apiKey": self.key, "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=600)
        with closing(connection):
            path = f"{address.path}/api/data/v1/action/{action}"
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            return response.status, json.load(response)

    def containers(self) -> set[str]:
        """Return the log streams, of which each container has one."""
        logs = boto3.client(
            "logs",
            endpoint_url=self.settings["AWS_ENDPOINT_URL"],
            region_name=self.settings["AWS_REGION"],
            aws_access_key_id=self.settings["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.settings["AWS_SECRET_ACCESS_KEY"],
        )
        pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=_LOG_GROUP)
        return {stream["logStreamName"] for page in pages for stream in page["logStreams"]}


@contextmanager
def deployed(folder: Path, mongodb_uri: str, bundle: Path | None = None) -> Iterator[Service]:
    """Run a cloud in front of a database, and release the service there.

    With `bundle`, a folder in which the bundle was built, only what is missing there is built.
    """
    with cloud.running(folder / "cloud", mongodb_uri) as settings:
        with provider.running(settings) as running:
            project = Project.copy_to(folder / "source", settings | running)
            if bundle:
                shutil.copytree(bundle, project.folder / "build")
            project.must("build", "--out", "build")
            project.must("deploy", "--environment", "local", "--bundle", "build")
            yield Service(settings)
