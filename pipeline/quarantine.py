"""Quarantine: bundles that were rolled back in an environment, which nothing deploys unasked."""

from __future__ import annotations

import json

from pipeline.aws import Aws, absent_if
from pipeline.environment import Environment
from pipeline.errors import Quarantined
from pipeline.ledger import Release


def is_in(aws: Aws, environment: Environment, bundle_id: str) -> bool:
    """Say whether a bundle is in quarantine."""
    return _entry(aws, environment, bundle_id) is not None


def refuse(aws: Aws, environment: Environment, bundle_id: str) -> None:
    """Raise Quarantined, with when and why, if a bundle is in quarantine."""
    entry = _entry(aws, environment, bundle_id)
    if entry:
        raise Quarantined(
            f"bundle {bundle_id[:12]} was rolled back in {environment.name} by {entry['actor']} "
            f"at {entry['began']}: {entry['reason'] or 'no reason given'}",
            "If it may be deployed again, say so: --release-from-quarantine --reason '…'",
        )


def put(aws: Aws, environment: Environment, bundle_id: str, rollback: Release) -> None:
    """Put the bundle that a rollback left into quarantine."""
    aws.s3.put_object(
        Bucket=aws.artifact_bucket,
        Key=_key(environment, bundle_id),
        Body=json.dumps(rollback.to_json(), indent=2).encode(),
        ContentType="application/json",
    )


def release(aws: Aws, environment: Environment, bundle_id: str) -> None:
    """Take a bundle out of quarantine. The ledger keeps who did it, and why."""
    aws.s3.delete_object(Bucket=aws.artifact_bucket, Key=_key(environment, bundle_id))


def _entry(aws: Aws, environment: Environment, bundle_id: str) -> dict[str, str] | None:
    found = absent_if(
        "NoSuchKey",
        lambda: aws.s3.get_object(Bucket=aws.artifact_bucket, Key=_key(environment, bundle_id)),
    )
    return json.loads(found["Body"].read()) if found else None


def _key(environment: Environment, bundle_id: str) -> str:
    return f"quarantine/{environment.name}/{bundle_id}.json"
