"""Packages that people use, as the layer of a function that is released here and called."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packages import sweep

_GROUPS = sorted({package.group for package in sweep.listed() if package.group} - {"typical"})


@pytest.mark.integration
def test_typical_packages_are_released_and_work(
    tmp_path: Path, quick_cloud: dict[str, str]
) -> None:
    """Modules that native code imports, libraries next to a package, metadata, a pinned boto3.

    The function answers as API Gateway takes it, too: health packed with gzip and in base64, and
    everything else as a bare value.
    """
    _try("typical", tmp_path, quick_cloud)


@pytest.mark.extended
@pytest.mark.parametrize("group", _GROUPS)
def test_other_packages_are_released_and_work(
    group: str, tmp_path: Path, quick_cloud: dict[str, str]
) -> None:
    _try(group, tmp_path, quick_cloud)


def test_each_package_is_listed_once() -> None:
    names = [package.name for package in sweep.listed()]
    assert len(names) == len(set(names))


def _try(group: str, folder: Path, cloud: dict[str, str]) -> None:
    packages = [package for package in sweep.listed() if package.group == group]
    outcomes = sweep.attempt_together(packages, folder / "project", cloud)
    assert [outcome.package.name for outcome in outcomes if outcome.failed] == [], "\n".join(
        {f"{outcome.failed}: {outcome.problem}" for outcome in outcomes if outcome.failed}
    )
