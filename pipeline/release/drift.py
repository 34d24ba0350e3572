"""What is not as it was released, where Terraform does not look.

Terraform leaves to the pipeline where live points. And it compares the code's digest with its own
state, never with the function's: the provider keeps `source_code_hash` as it was configured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.config import LIVE
from pipeline.release.ledger import Release
from pipeline.traffic.alias import Live


def beyond_terraform(
    plan: Mapping[str, Any], live: Live | None, serving: Release | None
) -> tuple[str, ...]:
    """Return what differs, a line each.

    `plan` is a plan's document, `live` where live points, `serving` the release that serves by the
    ledger.
    """
    return (*_elsewhere(live, serving), *_foreign(plan))


def code_was_changed(plan: Mapping[str, Any]) -> bool:
    """Say whether the function's code is not what Terraform deployed last."""
    return any(
        before["code_sha256"] != before["source_code_hash"]
        for resource in plan.get("resource_changes", [])
        if resource["type"] == "aws_lambda_function"
        if (before := resource["change"]["before"])
    )


def _elsewhere(live: Live | None, serving: Release | None) -> Iterator[str]:
    if live and serving and live.route != (serving.version, ()):
        yield (
            f"{LIVE} was moved: {live.in_words()}, and release {serving.number}, which serves by "
            f"the ledger, is version {serving.version}"
        )


def _foreign(plan: Mapping[str, Any]) -> Iterator[str]:
    if code_was_changed(plan):
        yield "the function's code was changed: it is not what Terraform deployed last"
