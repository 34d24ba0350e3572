"""The bundle store: packages and manifests in the artifact bucket, by content, written once."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from pipeline import progress
from pipeline.aws import Aws, absent_if, create_object, persistently
from pipeline.bundle.manifest import Bundle, Manifest, Package, sha256_hex
from pipeline.errors import BundleError
from pipeline.errors import did_you_mean
from pipeline.progress import Bar
from pipeline.config import MANIFEST, PIPELINE
from pipeline.target import Target

_TO_MEND = 'See docs/runbook.md, "A stored bundle is missing or damaged".'
_SHORTEST = 7
_ID_START = re.compile(rf"[0-9a-f]{{{_SHORTEST},64}}")
_TOO_SHORT = re.compile(rf"(?=.*\d)[0-9a-f]{{3,{_SHORTEST - 1}}}")
_WHICH = (
    "Use a folder that `build` wrote, or the id of a stored bundle: `releases` lists them, and the "
    f"first {_SHORTEST} digits are enough."
)
# With a digit, or it is a word.
_TYPED_ID = re.compile(r"(?=.*\d)\w{3,64}")
_LOOKED_AT = 10_000  # of the stored bundles, for one that is near


def package_key(package: Package) -> str:
    """Return a package's key: the same content has the same key, so Terraform sees no change."""
    return f"packages/{package.sha256}/{package.name}"


def put_pipeline(target: Target, pyz: bytes) -> str:
    """Store the pipeline that rollbacks of an environment use, and return its digest.

    Its content is stored once, like a package's. What the environment uses is one small object more
    with the digest, so that it is always one that is whole.
    """
    aws, digest = target.aws, sha256_hex(pyz)
    key = f"packages/{digest}/{PIPELINE}"
    if not create_object(aws, key, pyz):
        raise _holds_something_else(aws, key)
    persistently(
        lambda: aws.s3.put_object(
            Bucket=aws.artifact_bucket,
            Key=f"pipeline/{target.name}",
            Body=f"{digest}\n".encode(),
            ContentType="text/plain",
        )
    )
    return digest


def load(aws: Aws, reference: str) -> Bundle:
    """Return the bundle that a person means: a folder, or the id (or its start) of a stored one.

    Raises BundleError if there is none, or if it is damaged.
    """
    folder = Path(reference)
    if _ID_START.fullmatch(reference) and not folder.exists():
        return fetch(aws, _find_id(aws, reference))
    if _TOO_SHORT.fullmatch(reference) and not folder.exists():
        raise BundleError(
            f"{reference} is neither a folder nor long enough for a bundle's id",
            f"{_nearest(aws, reference)}\n{_WHICH}".strip(),
        )
    try:
        return Bundle.read(folder)
    except BundleError as problem:
        if not folder.exists():
            problem.hint = f"{_nearest(aws, reference)}\n{problem.hint}".strip()
        raise


def put(aws: Aws, bundle: Bundle) -> None:
    """Store a bundle, unless it is there already; raise BundleError if what is there differs.

    The manifest goes last: a bundle that has one is whole.
    """
    total = sum(package.size_bytes for package in bundle.manifest.packages())
    with progress.step("store", total) as bar:
        before = 0
        for package, archive in bundle.zips():
            _upload(aws, package, archive, partial(_show_sent, bar, package.name, before, total))
            before += package.size_bytes
    if not create_object(aws, _manifest_key(bundle.id), bundle.manifest.to_text().encode()):
        # It may name another commit: the same content built from there is the same bundle.
        manifest(aws, bundle.id)


def _upload(aws: Aws, package: Package, archive: bytes, on_sent: Callable[[int], None]) -> None:
    key = package_key(package)
    if not create_object(aws, key, archive, on_sent):
        raise _holds_something_else(aws, key)


def _holds_something_else(aws: Aws, key: str) -> BundleError:
    return BundleError(
        f"s3://{aws.artifact_bucket}/{key} exists with other content",
        "Somebody changed the store. Find out who before you deploy anything from it.",
    )


def _show_sent(bar: Bar, name: str, before: int, total: int, sent: int) -> None:
    bar.update(before + sent, f"{before + sent:,} of {total:,} bytes  {name}")


def fetch(aws: Aws, bundle_id: str) -> Bundle:
    """Return a stored bundle, with every digest verified; raise BundleError if it is not whole."""
    stored = manifest(aws, bundle_id)
    function_zip, *layer_zip = (_get(aws, package_key(package)) for package in stored.packages())
    return Bundle(stored, function_zip, layer_zip[0] if layer_zip else None).verify()


def function_zip(aws: Aws, stored: Manifest) -> bytes:
    """Return the function's package of a stored bundle; raise BundleError if it is not whole."""
    archive = _get(aws, package_key(stored.function))
    if sha256_hex(archive) != stored.function.sha256:
        raise BundleError(f"{stored.function.name} of bundle {stored.id[:12]} is damaged", _TO_MEND)
    return archive


def _find_id(aws: Aws, start: str) -> str:
    listed = aws.s3.list_objects_v2(
        Bucket=aws.artifact_bucket, Prefix=_manifest_key(start)[: -len("/manifest.json")], MaxKeys=2
    )
    ids = [item["Key"].split("/")[1] for item in listed.get("Contents", [])]
    if len(ids) != 1:
        problem = "names more than one stored bundle" if ids else "is neither a folder nor stored"
        requested = "" if ids else _nearest(aws, start)
        raise BundleError(
            f"{start} {problem}",
            f"{requested}\n{_WHICH}".strip(),
        )
    return ids[0]


def _nearest(aws: Aws, reference: str) -> str:
    """Return "Did you mean …?" for a folder with a bundle, or a stored one, of a similar name."""
    manifests = Path(reference).parent.glob(f"*/{MANIFEST}")
    requested = did_you_mean(reference, (str(manifest_file.parent) for manifest_file in manifests))
    return requested or nearest_ids(aws, reference)


def nearest_ids(aws: Aws, start: str) -> str:
    """Return "Did you mean …?" for a stored bundle with a similar id, or "" if there is none."""
    if not _TYPED_ID.fullmatch(start):
        return ""
    pages = aws.s3.get_paginator("list_objects_v2").paginate(
        Bucket=aws.artifact_bucket, Prefix="bundles/", PaginationConfig={"MaxItems": _LOOKED_AT}
    )
    length = max(len(start), _SHORTEST)
    try:
        ids = [item["Key"].split("/")[1] for page in pages for item in page.get("Contents", [])]
    except (ClientError, BotoCoreError):
        return ""
    if begin := [bundle_id[:length] for bundle_id in ids if bundle_id.startswith(start)]:
        return did_you_mean(start, begin)
    # Any two ids share some digits in order: what was meant is different in a quarter at most.
    return did_you_mean(start, (bundle_id[:length] for bundle_id in ids), alike=0.75)


def _manifest_key(bundle_id: str) -> str:
    return f"bundles/{bundle_id}/manifest.json"


def manifest(aws: Aws, bundle_id: str) -> Manifest:
    """Return a stored bundle's manifest alone; raise BundleError if it is not that bundle's."""
    try:
        found = Manifest.from_text(_get(aws, _manifest_key(bundle_id)).decode())
    except ValueError as error:
        raise BundleError(
            f"the stored manifest of {bundle_id} is damaged: {error}", _TO_MEND
        ) from error
    if found.id != bundle_id:
        raise BundleError(f"the manifest stored for {bundle_id} belongs to {found.id}", _TO_MEND)
    return found


def problem(aws: Aws, bundle_id: str) -> str | None:
    """Return what is wrong with a stored bundle, or None; its packages are not downloaded.

    Their digests are those that S3 computed when they were stored, where it has them.
    """
    try:
        packages = manifest(aws, bundle_id).packages()
    except BundleError as error:
        return error.message
    for package in packages:
        key = package_key(package)
        # HeadObject has no body, so its error's code is the status.
        found = absent_if(
            "404",
            lambda: aws.s3.head_object(Bucket=aws.artifact_bucket, Key=key, ChecksumMode="ENABLED"),
        )
        if found is None:
            return f"s3://{aws.artifact_bucket}/{key} is missing"
        if found.get("ChecksumSHA256", package.sha256_base64) != package.sha256_base64:
            return f"s3://{aws.artifact_bucket}/{key} is damaged"
    return None


def _get(aws: Aws, key: str) -> bytes:
    found = absent_if(
        "NoSuchKey", lambda: aws.s3.get_object(Bucket=aws.artifact_bucket, Key=key)["Body"].read()
    )
    if found is None:
        raise BundleError(f"s3://{aws.artifact_bucket}/{key} is missing", _TO_MEND)
    return found
