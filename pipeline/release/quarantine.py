"""Bundles that were rolled back: nothing deploys them without a person's decision."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from pipeline.aws import absent_if, persistently
from pipeline.config import Environment
from pipeline.errors import QuarantinedError
from pipeline.markdown import one_line
from pipeline.release.ledger import Release
from pipeline.target import Target

_AT_A_TIME = 8


def warning(target: Target, bundle_id: str) -> str | None:
    """Return why nothing deploys a bundle, and what a person does about it on GitHub, or None."""
    text = reason(target, bundle_id)
    if text is None:
        return None
    return (
        f"{text}. A merge that leaves it as it is deploys nothing. If it may be deployed again: "
        f"gh workflow run deploy.yml --ref main -f bundle={bundle_id} "
        "-f release-from-quarantine=true -f reason='…'"
    )


def reason(target: Target, bundle_id: str) -> str | None:
    """Return who rolled a bundle back, when and why; None if it is not in quarantine."""
    found = absent_if(
        "NoSuchKey",
        lambda: target.aws.s3.get_object(
            Bucket=target.aws.artifact_bucket, Key=_key(target.environment, bundle_id)
        ),
    )
    if found is None:
        return None
    entry = json.loads(found["Body"].read())
    return one_line(
        f"bundle {bundle_id[:12]} was rolled back in {target.name} by {entry['actor']} "
        f"at {entry['began']}: {entry['reason'] or 'no reason given'}"
    )


def reasons(target: Target, bundle_ids: Iterable[str]) -> dict[str, str]:
    """Return `reason` of each of these bundles that is in quarantine, by its id."""
    ids = list(dict.fromkeys(bundle_ids))
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        found = pool.map(lambda bundle_id: reason(target, bundle_id), ids)
        return {bundle_id: reason for bundle_id, reason in zip(ids, found, strict=True) if reason}


def contains(target: Target, bundle_id: str) -> bool:
    """Return whether a bundle is in quarantine."""
    return reason(target, bundle_id) is not None


def require_free(target: Target, bundle_id: str) -> None:
    """Raise QuarantinedError, with when and why, if a bundle is in quarantine."""
    text = reason(target, bundle_id)
    if text:
        raise QuarantinedError(
            text, "To deploy it again, use --release-from-quarantine --reason '…'"
        )


def add(target: Target, bundle_id: str, rollback: Release) -> None:
    """Put the bundle that a rollback left into quarantine."""
    persistently(
        lambda: target.aws.s3.put_object(
            Bucket=target.aws.artifact_bucket,
            Key=_key(target.environment, bundle_id),
            Body=json.dumps(rollback.to_json(), indent=2).encode(),
            ContentType="application/json",
        )
    )


def lift(target: Target, bundle_id: str) -> None:
    """Release a bundle from quarantine. The ledger records who did it, and why."""
    key = _key(target.environment, bundle_id)
    persistently(lambda: target.aws.s3.delete_object(Bucket=target.aws.artifact_bucket, Key=key))


def _key(environment: Environment, bundle_id: str) -> str:
    return f"quarantine/{environment.name}/{bundle_id}.json"
