"""Which bundle a person means by a folder, an id, or what is near one."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from pipeline.bundle import store
from pipeline.aws import Aws
from pipeline.bundle.manifest import Bundle
from pipeline.errors import BundleError


@pytest.fixture
def stored(
    account: Aws, built_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The id of a bundle that is stored, and is in the folder `build` here, too."""
    shutil.copytree(built_bundle, tmp_path / "build")
    monkeypatch.chdir(tmp_path)
    bundle = Bundle.read(built_bundle)
    store.put(account, bundle)
    return bundle.id


def _suggested(account: Aws, reference: str) -> list[str]:
    with pytest.raises(BundleError) as refused:
        store.load(account, reference)
    return re.findall(r"^Did you mean '(.*)'\?$", refused.value.hint, re.MULTILINE)


def test_a_bundle_is_found_by_its_folder_its_id_and_the_start_of_it(
    account: Aws, stored: str
) -> None:
    for reference in ("build", stored, stored[:7]):
        assert store.load(account, reference).id == stored


def test_where_no_bundle_is_the_nearest_folder_or_id_is_suggested(
    account: Aws, stored: str
) -> None:
    """If one is near."""
    start = stored[:9]
    wrong_digit = start[:4] + ("1" if start[4] == "0" else "0") + start[5:]
    far = "".join("0" if digit > "7" else "f" for digit in stored)
    for reference, near in (
        ("nowhere", None),
        (far, None),
        ("build1", "build"),
        (wrong_digit, start),
        (f"{start[:6]}x{start[7:]}", start),
    ):
        assert _suggested(account, reference) == ([near] if near else []), reference


def test_what_was_changed_in_the_store_is_not_a_bundle(account: Aws, stored: str) -> None:
    """Its digests are verified, and a missing part is named."""
    layer = store.manifest(account, stored).layer
    assert layer
    key = store.package_key(layer)
    account.s3.put_object(Bucket=account.artifact_bucket, Key=key, Body=b"something else")
    with pytest.raises(BundleError):
        store.load(account, stored)
    account.s3.delete_object(Bucket=account.artifact_bucket, Key=key)
    with pytest.raises(BundleError, match=f"{key} is missing"):
        store.load(account, stored)
