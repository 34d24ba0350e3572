"""AWS as localcloud serves it, through the clients that everybody uses."""

from __future__ import annotations

import base64
import json
import textwrap
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config

from pipeline.packaging.zip_writer import write_zip


@dataclass(frozen=True)
class Answer:
    """What Invoke gave: the payload as Python data, and the log's tail as text."""

    payload: Any
    version: str
    error: str | None
    log: str


class Aws:
    """The clients, and short ways to do with them what many tests do."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._session = boto3.Session(
            aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
            region_name=settings["AWS_REGION"],
        )
        self._endpoint = settings["AWS_ENDPOINT_URL"]
        # A call that fails must be seen, not tried again.
        self._once = Config(
            read_timeout=900, retries={"total_max_attempts": 1}, max_pool_connections=20
        )
        self.functions = self._session.client(
            "lambda", endpoint_url=self._endpoint, config=self._once
        )
        self.apis = self._session.client("apigatewayv2", endpoint_url=self._endpoint)
        self.logs = self._session.client("logs", endpoint_url=self._endpoint)
        self.metrics = self._session.client("cloudwatch", endpoint_url=self._endpoint)
        self.parameters = self._session.client("ssm", endpoint_url=self._endpoint)
        self.role = self._role()

    def _role(self) -> str:
        iam: Any = self._session.client("iam", endpoint_url=self._endpoint)
        created = iam.create_role(
            RoleName=f"tests-{uuid.uuid4().hex}", AssumeRolePolicyDocument="{}"
        )
        reads = {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*"}
        iam.put_role_policy(
            RoleName=created["Role"]["RoleName"],
            PolicyName="reads",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [reads]}),
        )
        iam.close()
        return str(created["Role"]["Arn"])

    def close(self) -> None:
        for client in (self.functions, self.apis, self.logs, self.metrics, self.parameters):
            client.close()

    def function(self, source: str, **settings: Any) -> str:
        """Create a function of `source`, which defines `handler`; return its name."""
        name = f"f-{uuid.uuid4().hex}"
        self.functions.create_function(
            FunctionName=name,
            Role=self.role,
            Runtime="python3.13",
            Handler="app.handler",
            Code={"ZipFile": code(source)},
            **{"Timeout": 20} | settings,
        )
        return name

    def versions(self, *sources: str) -> str:
        """Create a function with a published version of each source; return its name."""
        name = self.function(sources[0], Publish=True)
        for source in sources[1:]:
            self.functions.update_function_code(
                FunctionName=name, ZipFile=code(source), Publish=True
            )
        return name

    def arn(self, name: str) -> str:
        return self.functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]

    def call(self, name: str, event: object = None, **arguments: Any) -> Answer:
        """Invoke a function and wait for its answer."""
        reply = self.functions.invoke(
            FunctionName=name, Payload=json.dumps(event), LogType="Tail", **arguments
        )
        with reply["Payload"] as stream:
            payload = stream.read()
        return Answer(
            payload=json.loads(payload),
            version=reply["ExecutedVersion"],
            error=reply.get("FunctionError"),
            log=base64.b64decode(reply["LogResult"]).decode(),
        )

    def logged(self, group: str) -> list[str]:
        """Return the messages of a log group."""
        found = self.logs.filter_log_events(logGroupName=group)
        return [event["message"] for event in found["events"]]

    def total(self, metric: str, **dimensions: str) -> float:
        """Return the sum of one of AWS/Lambda's metrics."""
        now = datetime.now(UTC)
        found = self.metrics.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=metric,
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=60,
            Statistics=["Sum"],
        )
        return sum(point["Sum"] for point in found["Datapoints"])


def code(source: str) -> bytes:
    """Return the zip of a function whose one module is `source`."""
    return write_zip({"app.py": textwrap.dedent(source).encode()})
