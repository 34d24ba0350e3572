"""What AWS's SDK raises, as an error of ours: apart from `aws`, which takes long to import."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    NoCredentialsError,
    WaiterError,
)

from pipeline.errors import AwsError


def _is_local(endpoint: str) -> bool:
    return urlsplit(endpoint).hostname in ("127.0.0.1", "::1", "localhost")


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn what the SDK raises into AwsError, which says what to do."""
    try:
        yield
    except ClientError as error:
        detail = error.response["Error"]
        raise AwsError(
            f"AWS refused {error.operation_name}: {detail['Code']}: {detail['Message']}",
            "Check the permissions of these credentials.",
            command="aws sts get-caller-identity",
        ) from error
    except NoCredentialsError as error:
        raise AwsError(
            f"no AWS credentials: {error}",
            "Configure credentials; for the local cloud: make up && . .localcloud/env",
        ) from error
    except (ConnectionError, HTTPClientError) as error:
        if isinstance(error, ConnectionError) and _is_local(os.environ.get("AWS_ENDPOINT_URL", "")):
            raise AwsError(
                f"the local cloud is not running: {error}",
                "AWS_ENDPOINT_URL names this machine. Start the cloud, and take its new address.",
                command="make up && . .localcloud/env",
            ) from error
        raise AwsError(
            f"cannot reach AWS: {error}", "Check the network, the region and AWS_ENDPOINT_URL."
        ) from error
    except (BotoCoreError, WaiterError) as error:
        raise AwsError(
            f"the call to AWS failed: {error}",
            "Check the credentials, the region and the profile.",
            command="aws sts get-caller-identity",
        ) from error
