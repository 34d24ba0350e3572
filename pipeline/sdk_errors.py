"""What AWS's SDK raises, as an error of ours: apart from `aws`, which takes long to import."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

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
            "See whether the credentials are the right ones: aws sts get-caller-identity",
        ) from error
    except (BotoCoreError, WaiterError) as error:
        raise AwsError(
            f"AWS could not be asked: {error}",
            "Set credentials (or, for this machine's own cloud: make up, then . .localcloud/env).",
        ) from error
