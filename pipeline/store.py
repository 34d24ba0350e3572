"""The bundle store: packages and manifests in the artifact bucket, by content, written once."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pipeline import progress
from pipeline.aws import Aws, absent_if, create_object
from pipeline.bundle import Bundle, Manifest, Package
from pipeline.errors import BundleError
from pipeline.progress import Bar

_TO_MEND = 'What to do: RUNBOOK.md, "A stored bundle is missing or damaged".'
_ID_START = re.compile(r"[0-9a-f]{7,64}")


def package_key(package: Package) -> str:
    """Return a package's key: the same content has the same key, so Terraform sees no change."""
    return f"packages/{package.sha256}/{package.name}"


def load(aws: Aws, reference: str) -> Bundle:
    """Return the bundle that a person means: a folder, or the id (or its start) of a stored one.

    Raises BundleError if there is none, or if it is damaged.
    """
    if not _ID_START.fullmatch(reference) or Path(reference).exists():
        return Bundle.read(Path(reference))
    return fetch(aws, _find_id(aws, reference))


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
        raise BundleError(
            f"s3://{aws.artifact_bucket}/{key} exists already and holds something else",
            "Somebody changed the store. Find out who before you deploy anything from it.",
        )


def _show_sent(bar: Bar, name: str, before: int, total: int, sent: int) -> None:
    bar.update(before + sent, f"{before + sent:,} of {total:,} bytes  {name}")


def fetch(aws: Aws, bundle_id: str) -> Bundle:
    """Return a stored bundle, with every digest verified; raise BundleError if it is not whole."""
    stored = manifest(aws, bundle_id)
    function_zip, layer_zip = (_get(aws, package_key(each)) for each in stored.packages())
    return Bundle(stored, function_zip, layer_zip).verify()


def _find_id(aws: Aws, start: str) -> str:
    listed = aws.s3.list_objects_v2(
        Bucket=aws.artifact_bucket, Prefix=_manifest_key(start)[: -len("/manifest.json")], MaxKeys=2
    )
    ids = [item["Key"].split("/")[1] for item in listed.get("Contents", [])]
    if len(ids) != 1:
        problem = "names more than one stored bundle" if ids else "is neither a folder nor stored"
        raise BundleError(
            f"{start} {problem}",
            "Give a folder that `python -m pipeline build` wrote, or the bundle's whole id "
            "(`python -m pipeline releases` lists those that were deployed).",
        )
    return ids[0]


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
        raise BundleError(f"the manifest stored as {bundle_id} is that of {found.id}", _TO_MEND)
    return found


def _get(aws: Aws, key: str) -> bytes:
    found = absent_if(
        "NoSuchKey", lambda: aws.s3.get_object(Bucket=aws.artifact_bucket, Key=key)["Body"].read()
    )
    if found is None:
        raise BundleError(f"s3://{aws.artifact_bucket}/{key} is missing", _TO_MEND)
    return found
