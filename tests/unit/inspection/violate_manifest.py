"""Manifests that are not as they must be."""

from __future__ import annotations

import datetime
import json

from pipeline.config import FUNCTION_PACKAGE, LAYER_PACKAGE, MANIFEST
from pipeline.inspection.rules import Rule
from tests.unit.inspection.violations import PYMONGO, breaks
from tests.unit.inspection.malicious_zip import (
    HANDLER,
    Draft,
    manifest_text,
)


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_is_no_json(draft: Draft) -> None:
    draft.manifest_text = b"{"


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_is_no_text(draft: Draft) -> None:
    draft.manifest_text = b"\xff\xfe"


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_is_nested_too_deep(draft: Draft) -> None:
    draft.manifest_text = b"[" * 200_000


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_has_another_member(draft: Draft) -> None:
    draft.values = {"extra": 1}


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_has_a_number_for_a_name(draft: Draft) -> None:
    draft.values = {"handler": 1}


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_has_a_digest_that_is_none(draft: Draft) -> None:
    draft.values = {"layer_lock_sha256": "f" * 63}


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_names_a_file_twice(draft: Draft) -> None:
    content = draft.content()
    content["layer"]["files"].append(content["layer"]["files"][0])
    draft.manifest_text = manifest_text(content)


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_calls_a_package_differently(draft: Draft) -> None:
    content = draft.content()
    content["layer"]["name"] = "../layer.zip"
    draft.manifest_text = manifest_text(content)


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_has_a_version_that_is_no_string(draft: Draft) -> None:
    document = json.loads(manifest_text(draft.content()))
    document["source"]["dependencies"] = {"pymongo": 4.2}
    draft.manifest_text = json.dumps(document).encode()


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_has_an_own_file_that_is_no_string(draft: Draft) -> None:
    document = json.loads(manifest_text(draft.content()))
    document["source"]["own_files"] = [1]
    draft.manifest_text = json.dumps(document).encode()


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_says_that_there_is_a_layer_and_none(draft: Draft) -> None:
    draft.values = {"layer_lock_sha256": None}


@breaks(Rule.MANIFEST_SCHEMA, MANIFEST)
def manifest_has_an_unknown_schema(draft: Draft) -> None:
    draft.values = {"schema": 2}


@breaks(Rule.MANIFEST_ID, MANIFEST)
def manifest_has_the_id_of_another(draft: Draft) -> None:
    draft.manifest_text = manifest_text(draft.content(), bundle_id="0" * 64)


@breaks(Rule.MANIFEST_BASE64, MANIFEST)
def manifest_has_two_digests_of_one_package(draft: Draft) -> None:
    content = draft.content()
    content["layer"]["sha256_base64"] = content["function"]["sha256_base64"]
    draft.manifest_text = manifest_text(content)


@breaks(Rule.MANIFEST_PACKAGE_SIZE, LAYER_PACKAGE)
def manifest_has_another_size_of_a_package(draft: Draft) -> None:
    content = draft.content()
    content["layer"]["size_bytes"] += 1
    draft.manifest_text = manifest_text(content)


@breaks(Rule.MANIFEST_PACKAGE_DIGEST, FUNCTION_PACKAGE)
def package_has_changed_since(draft: Draft) -> None:
    draft.manifest_text = manifest_text(draft.content())
    draft.item(HANDLER).dos_time = 1


@breaks(Rule.MANIFEST_FILE_LIST, LAYER_PACKAGE, PYMONGO)
def manifest_leaves_a_file_out(draft: Draft) -> None:
    content = draft.content()
    content["layer"]["files"] = content["layer"]["files"][:1]
    draft.manifest_text = manifest_text(content)


@breaks(Rule.MANIFEST_FILE_LIST, LAYER_PACKAGE, "python/bson/gone.py")
def manifest_names_a_file_that_is_not_there(draft: Draft) -> None:
    content = draft.content()
    gone = {"path": "python/bson/gone.py", "size_bytes": 0, "sha256": "0" * 64}
    content["layer"]["files"].append(gone)
    draft.manifest_text = manifest_text(content)


@breaks(Rule.MANIFEST_FILE_CONTENT, FUNCTION_PACKAGE, HANDLER)
def manifest_has_another_digest_of_a_file(draft: Draft) -> None:
    content = draft.content()
    content["function"]["files"][0]["sha256"] = "0" * 64
    draft.manifest_text = manifest_text(content)


@breaks(Rule.MANIFEST_FILE_CONTENT, FUNCTION_PACKAGE, HANDLER)
def manifest_has_another_size_of_a_file(draft: Draft) -> None:
    content = draft.content()
    content["function"]["files"][0]["size_bytes"] += 1
    draft.manifest_text = manifest_text(content)


@breaks(Rule.HANDLER_MALFORMED, MANIFEST)
def handler_is_no_name(draft: Draft) -> None:
    draft.values = {"handler": "lambda_function."}


@breaks(Rule.UNKNOWN_ARCHITECTURE, MANIFEST)
def architecture_is_unknown(draft: Draft) -> None:
    draft.values = {"architecture": "sparc"}


@breaks(Rule.UNKNOWN_RUNTIME, MANIFEST)
def runtime_is_unknown(draft: Draft) -> None:
    draft.values = {"runtime": "python3.99"}


@breaks(Rule.RUNTIME_DEPRECATED, MANIFEST, today=datetime.date(2029, 1, 1))
def runtime_is_deprecated_in_180_days(draft: Draft) -> None:
    draft.values = {"runtime": "python3.13"}


@breaks(Rule.RUNTIME_DEPRECATED, MANIFEST, today=datetime.date(2029, 8, 30))
def runtime_is_deprecated_already(draft: Draft) -> None:
    draft.values = {"runtime": "python3.13"}


@breaks(Rule.RUNTIME_BLOCKED, MANIFEST, today=datetime.date(2026, 9, 30))
def runtime_takes_no_updates(draft: Draft) -> None:
    draft.values = {"runtime": "python3.9"}


@breaks(Rule.MISSING_PACKAGE, LAYER_PACKAGE)
def layer_is_not_there(draft: Draft) -> None:
    draft.missing = {LAYER_PACKAGE}
