"""Where Terraform finds its provider."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from localcloud.provider_mirror import cli_config

pytestmark = pytest.mark.integration

PROVIDER = "registry.terraform.io/hashicorp/aws/5.100.0/linux_amd64"


@pytest.fixture(autouse=True)
def unreachable_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the registry out of reach, and forget the person's own configuration."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY", "TF_CLI_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)


def _machine(folder: Path, *mirrors: str) -> Path:
    """Make a machine's disk with unpacked provider mirrors in these folders."""
    for mirror in mirrors:
        (folder / "disk" / mirror / PROVIDER).mkdir(parents=True)
    return folder / "disk"


def _mirror_in(config: Path | None) -> Path:
    assert config
    found = re.fullmatch(
        r"provider_installation \{\n  filesystem_mirror \{\n    path = (\".*\")\n  \}\n\}\n",
        config.read_text(),
    )
    assert found
    return Path(json.loads(found[1]))


def test_a_mirror_is_found_and_named(tmp_path: Path) -> None:
    """Without the registry, Terraform is sent to the folder above registry.terraform.io."""
    disk = _machine(tmp_path, "opt/some mirror")
    config = cli_config(tmp_path, disk)
    assert config and config.parent == tmp_path
    assert _mirror_in(config) == disk / "opt/some mirror"


def test_a_mirror_without_our_provider_is_passed_by(tmp_path: Path) -> None:
    """A folder that Terraform keeps for another provider is of no use."""
    disk = _machine(tmp_path, "b")
    (disk / "a/registry.terraform.io/hashicorp/random").mkdir(parents=True)
    assert _mirror_in(cli_config(tmp_path, disk)) == disk / "b"


def test_nothing_is_written_where_there_is_no_mirror(tmp_path: Path) -> None:
    """Then Terraform has to find its own way."""
    disk = _machine(tmp_path)
    assert cli_config(tmp_path, disk) is None
    assert not list(tmp_path.iterdir())


def test_the_search_ends(tmp_path: Path) -> None:
    """It follows no link in circles, looks into no temporary folders, and not too deep."""
    disk = _machine(tmp_path, "tmp/mirror", "1/2/3/4/5/mirror")
    (disk / "loop").symlink_to(disk)
    assert cli_config(tmp_path, disk) is None


def test_a_persons_own_configuration_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TF_CLI_CONFIG_FILE is passed on where that file exists."""
    disk = _machine(tmp_path, "mirror")
    own = tmp_path / "own.rc"
    own.touch()
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(own))
    assert cli_config(tmp_path, disk) == own


def test_a_persons_own_configuration_must_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TF_CLI_CONFIG_FILE that names no file does not count."""
    disk = _machine(tmp_path, "mirror")
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(tmp_path / "gone.rc"))
    assert _mirror_in(cli_config(tmp_path, disk)) == disk / "mirror"
