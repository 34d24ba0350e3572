"""What Terraform applied last, by its state: one object of S3, so that Terraform need not run."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pipeline.aws import Aws, absent_if

# The format of the state: statefile/version4.go in Terraform's source.
_FORMAT = 4
_FUNCTION = "aws_lambda_function"


@dataclass(frozen=True)
class Applied:
    """The function as it was applied last, and where its API answers.

    `version` is the one that was published then, `code_sha256` the digest of its code as AWS
    writes it; both are None without a function.
    """

    version: str | None
    code_sha256: str | None
    api_url: str | None


def read(account: Aws, state_key: str) -> Applied | None:
    """Return what was applied last, or None if there is no state, or none of a known format.

    A damaged state is no reason to fail here: Terraform reports it when it runs.
    """
    found = absent_if(
        "NoSuchKey", lambda: account.s3.get_object(Bucket=account.state_bucket, Key=state_key)
    )
    try:
        state = json.loads(found["Body"].read()) if found else {}
    except ValueError:
        return None
    if state.get("version") != _FORMAT:
        return None
    function: dict[str, str] = next(
        (
            resource["instances"][0]["attributes"]
            for resource in state["resources"]
            if (resource["mode"], resource["type"]) == ("managed", _FUNCTION)
            if resource["instances"]
        ),
        {},
    )
    api_url = state["outputs"].get("api_url", {}).get("value")
    return Applied(function.get("version"), function.get("source_code_hash"), api_url)
