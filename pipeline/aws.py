"""AWS: which account this is, the clients, and the waiting for changes to settle."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.errors import AwsError
from pipeline.config import SERVICE
from pipeline.sdk_errors import translated_errors

if TYPE_CHECKING:
    from types_boto3_apigatewayv2 import ApiGatewayV2Client
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_iam import IAMClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_s3 import S3Client
    from types_boto3_ssm import SSMClient

# The services that the pipeline calls, by the SDK's names of them.
CALLED = frozenset({"apigatewayv2", "cloudwatch", "iam", "lambda", "logs", "s3", "ssm", "sts"})

_ISSUER = "token.actions.githubusercontent.com"

# When the credentials of the environment variables expire: "Environment variables to configure the
# AWS CLI", and botocore's EnvProvider.
_EXPIRES = "AWS_CREDENTIAL_EXPIRATION"
RENEW = (
    'Log in again: aws sso login, then eval "$(aws configure export-credentials --format env)". Or '
    "unset the variables AWS_ACCESS_KEY_ID and so on, and set AWS_PROFILE: the SDK renews what a "
    "profile gives."
)

_PAUSES_S = (0.5, 1.5)

# Retries are the SDK's standard ones; the read timeout outlasts the longest function (29 s).
_CONFIG = Config(retries={"mode": "standard", "max_attempts": 4}, read_timeout=60)


@dataclass(frozen=True)
class Aws:
    """The account and region that the credentials at hand belong to."""

    account_id: str
    region: str
    functions: LambdaClient
    s3: S3Client
    session: boto3.Session

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        return self.session.client("logs", config=_CONFIG)

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        return self.session.client("cloudwatch", config=_CONFIG)

    @cached_property
    def parameters(self) -> SSMClient:
        return self.session.client("ssm", config=_CONFIG)

    @cached_property
    def iam(self) -> IAMClient:
        return self.session.client("iam", config=_CONFIG)

    @cached_property
    def apis(self) -> ApiGatewayV2Client:
        return self.session.client("apigatewayv2", config=_CONFIG)

    def session_s(self) -> float | None:
        """Return for how many seconds the credentials are valid, or None if there is no such limit.

        Only those of environment variables have one: the SDK renews those of a profile, of a
        process, or of a machine's role. The variable is what `aws configure export-credentials
        --format env` sets with the others; without it the expiry is unknown.
        """
        return _session_s(self.session)

    def identity_provider(self) -> str | None:
        """Return the ARN of the account's OIDC provider for GitHub, if it has one."""
        found = self.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
        arns = [provider["Arn"] for provider in found]
        return next((arn for arn in arns if arn.endswith(f":oidc-provider/{_ISSUER}")), None)

    @property
    def github_variables(self) -> dict[str, str]:
        """What the workflows need to know of the account."""
        return {
            "AWS_ACCOUNT_ID": self.account_id,
            "AWS_REGION": self.region,
            "AWS_ROLE_PREFIX": self.iam_arn(f"role/{SERVICE}-"),
            "SERVICE": SERVICE,
        }

    def iam_arn(self, resource: str) -> str:
        """Return the ARN of a role or a policy of the account."""
        partition = self.session.get_partition_for_region(self.region)
        return f"arn:{partition}:iam::{self.account_id}:{resource}"

    @property
    def artifact_bucket(self) -> str:
        return f"{SERVICE}-artifacts-{self.account_id}"

    @property
    def state_bucket(self) -> str:
        return f"{SERVICE}-terraform-state-{self.account_id}"


def connect() -> Aws:
    """Return the account of the credentials. Raises AwsError if AWS cannot be reached."""
    with translated_errors():
        # boto3 itself reads AWS_DEFAULT_REGION only; Terraform and AWS's other SDKs this one first.
        session = boto3.Session(region_name=os.environ.get("AWS_REGION"))
        if session.region_name is None:
            raise AwsError(
                "no AWS region is configured",
                "Set AWS_REGION; for the local cloud: . .localcloud/env",
            )
        left_s = _session_s(session)
        # The SDK's own answer to that is a RuntimeError.
        if left_s is not None and left_s <= 0:
            raise AwsError(f"the AWS credentials expired at {os.environ[_EXPIRES]}", RENEW)
        account_id = session.client("sts", config=_CONFIG).get_caller_identity()["Account"]
        return Aws(
            account_id=account_id,
            region=session.region_name,
            functions=session.client("lambda", config=_CONFIG),
            s3=session.client("s3", config=_CONFIG),
            session=session,
        )


def _session_s(session: boto3.Session) -> float | None:
    credentials, expires = session.get_credentials(), os.environ.get(_EXPIRES)
    if credentials is None or credentials.method != "env" or not expires:
        return None
    return (datetime.fromisoformat(expires) - datetime.now(UTC)).total_seconds()


def error_code(error: ClientError) -> str:
    """Return AWS's own name of an error."""
    return error.response["Error"]["Code"]


def persistently[T](call: Callable[[], T], *, but_not: str = "") -> T:
    """Retry `call` on transient AWS errors; return its result or raise the last error.

    The SDK tries again by itself what AWS says may be tried again. This is for what matters enough
    to be tried after that: a conflict of two writes at once, a connection that came back. An error
    with the code `but_not` is an answer.
    """
    for pause_s in _PAUSES_S:
        try:
            return call()
        except ClientError as error:
            if error_code(error) == but_not:
                raise
        except BotoCoreError:
            pass
        time.sleep(pause_s)
    return call()


def absent_if[T](code: str, call: Callable[[], T]) -> T | None:
    """Return what `call` gives, or None if AWS answers with the error `code`."""
    try:
        return call()
    except ClientError as error:
        if error_code(error) == code:
            return None
        raise


class _Sent(io.BytesIO):
    """Bytes that report how many of them were read."""

    def __init__(self, content: bytes, on_sent: Callable[[int], None]) -> None:
        super().__init__(content)
        self._on_sent = on_sent

    def read(self, size: int | None = -1, /) -> bytes:
        part = super().read(size)
        self._on_sent(self.tell())
        return part


def create_object(
    aws: Aws, key: str, content: bytes, on_sent: Callable[[int], None] = lambda _: None
) -> bool:
    """Write an object of the artifact bucket that must not exist yet, whole or not at all.

    Return True if the object now holds `content`, created by this call or before it; False, with
    nothing changed, if it exists with other content. `on_sent` gets the number of bytes that are
    on their way.
    """
    try:
        persistently(
            lambda: aws.s3.put_object(
                Bucket=aws.artifact_bucket,
                Key=key,
                Body=_Sent(content, on_sent),
                IfNoneMatch="*",
                ChecksumAlgorithm="SHA256",
            ),
            but_not="PreconditionFailed",
        )
    except (ClientError, BotoCoreError) as error:
        found = absent_if(
            "NoSuchKey", lambda: aws.s3.get_object(Bucket=aws.artifact_bucket, Key=key)
        )
        if found and found["Body"].read() == content:
            return True
        if isinstance(error, ClientError) and error_code(error) == "PreconditionFailed":
            return False
        raise
    return True
