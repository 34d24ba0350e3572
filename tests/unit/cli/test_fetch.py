"""A stored bundle is written into a folder as it was built, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline import aws
from pipeline.bundle import store
from pipeline.aws import Aws
from pipeline.bundle.manifest import Bundle
from pipeline.cli.main import pipeline
from pipeline.errors import BundleError


@pytest.fixture
def stored(
    account: Aws, built_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The id of a bundle that is stored; the current folder is an empty one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(aws, "connect", lambda: account)
    bundle = Bundle.read(built_bundle)
    store.put(account, bundle)
    return bundle.id


def _fetch(bundle: str) -> Result:
    return CliRunner().invoke(pipeline, ["fetch", bundle, "--out", "fetched"])


def test_a_stored_bundle_is_fetched_as_it_was_built(stored: str, built_bundle: Path) -> None:
    done = _fetch(stored[:9])
    assert done.exit_code == 0 and done.stdout.strip() == stored, done.output
    names = [path.name for path in Path("fetched").iterdir()]
    assert sorted(names) == ["lambda_function.zip", "manifest.json", "pymongo-layer.zip"]
    for name in names:
        assert Path("fetched", name).read_bytes() == (built_bundle / name).read_bytes()
    inspected = CliRunner().invoke(pipeline, ["inspect", "fetched", "--expect", stored])
    assert inspected.exit_code == 0, inspected.output


@pytest.mark.parametrize("bundle", ["f" * 64, "0123456", "build", "live", "../x"])
def test_a_bundle_that_is_not_stored_is_not_fetched(stored: str, bundle: str) -> None:
    """A folder with a bundle is not a stored bundle either."""
    _fetch(stored)
    Path("fetched").rename("build")
    done = _fetch(bundle)
    assert isinstance(done.exception, BundleError)
    assert not Path("fetched").exists() and done.stdout == ""


def test_a_folder_whose_name_looks_like_an_id_is_not_fetched(stored: str) -> None:
    """Its bundle is another one."""
    _fetch(stored)
    Path("fetched").rename("0123456")
    done = _fetch("0123456")
    assert isinstance(done.exception, BundleError) and "is a local folder" in done.exception.message
    assert not Path("fetched").exists()
