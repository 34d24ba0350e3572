"""What AWS's SDK raises, as an error of ours: apart from `aws`, which takes long to import."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    NoCredentialsError,
    WaiterError,
)

from pipeline.errors import AwsError


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
        raise AwsError(
            f"cannot reach AWS: {error}",
            "Check the network, the region and AWS_ENDPOINT_URL. If it is this machine's own "
            "cloud, that is not running: make up.",
        ) from error
    except (BotoCoreError, WaiterError) as error:
        raise AwsError(
            f"the call to AWS failed: {error}",
            "Check the credentials, the region and the profile.",
            command="aws sts get-caller-identity",
        ) from error
