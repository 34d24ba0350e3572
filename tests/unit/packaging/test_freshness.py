"""A bundle whose source has changed since it was built is named before it is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.bundle.manifest import Bundle
from pipeline.config import FILES, LAYER_LOCK, SOURCE
from pipeline.packaging import freshness, function


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the function's source and the layer's lock file, used instead of them."""
    for name in FILES:
        (tmp_path / name).write_bytes((SOURCE / name).read_bytes())
    (tmp_path / LAYER_LOCK.name).write_bytes(LAYER_LOCK.read_bytes())
    monkeypatch.setattr(function, "SOURCE", tmp_path)
    monkeypatch.setattr(freshness, "LAYER_LOCK", tmp_path / LAYER_LOCK.name)
    return tmp_path


def _warning(folder: Path) -> str | None:
    return freshness.warning(str(folder), Bundle.read(folder).manifest)


def test_source_that_changed_since_the_build_is_named(source: Path, built_bundle: Path) -> None:
    """A file of the same content is the same, whatever its time says."""
    [name] = FILES
    (source / name).touch()
    assert _warning(built_bundle) is None
    with (source / name).open("ab") as file:
        file.write(b"# changed\n")
    text = _warning(built_bundle) or ""
    assert f"was built from other source (different: {name})" in text
    assert text.endswith("run: python -m pipeline build")


def test_another_lock_file_of_the_layer_is_named(source: Path, built_bundle: Path) -> None:
    (source / LAYER_LOCK.name).write_text("# other\n")
    assert f"(different: {LAYER_LOCK.name})" in (_warning(built_bundle) or "")


def test_where_the_source_is_not_there_nothing_is_compared(
    source: Path, built_bundle: Path
) -> None:
    [name] = FILES
    (source / name).unlink()
    assert _warning(built_bundle) is None
