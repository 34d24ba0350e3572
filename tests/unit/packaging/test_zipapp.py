"""The pipeline as one file: whole, the same everywhere, and started by a runner's own Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipeline.aws import CALLED, Aws
from pipeline.bundle import store
from pipeline.bundle.manifest import sha256_hex
from pipeline.config import Environment
from pipeline.errors import BundleError, UsageError
from pipeline.packaging import zipapp
from pipeline.target import Target
from scratch.source import ROOT

# What a rollback calls until live has moved, and after it.
_MODULES = ("pipeline.cli.rollback", "pipeline.cli.page")
# Python 3.12 is that of the image ubuntu-24.04.
_PYTHONS = {
    path
    for version in ("3.12", "3.13", "3.14")
    for path in (
        *Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"),
        *map(Path, filter(None, [shutil.which(f"python{version}")])),
    )
    if "shims" not in path.parts
} | {Path(sys.executable)}


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zipapp") / "pipeline.pyz"
    path.write_bytes(zipapp.make())
    return path


def _names(pyz: Path) -> set[str]:
    with zipfile.ZipFile(pyz) as archive:
        return set(archive.namelist())


def _start(python: Path, pyz: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Start it as a runner does: in an empty folder, with nothing installed in that Python."""
    return subprocess.run(
        [python, "-I", pyz, *arguments],
        cwd=pyz.parent,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(pyz.parent)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("python", sorted(_PYTHONS), ids=str)
def test_a_runners_own_python_starts_it(pyz: Path, python: Path) -> None:
    """Up to its first call of AWS, which needs the SDK's data; and nothing is left behind."""
    helped = _start(python, pyz, "rollback", "--help")
    assert helped.returncode == 0, helped.stderr
    assert "Roll back to an earlier release." in helped.stdout
    called = _start(python, pyz, "rollback", "--environment", "production")
    assert called.returncode == 1 and "no AWS region is configured" in called.stderr, called.stderr
    assert os.listdir(pyz.parent) == [pyz.name]


def test_what_a_rollback_needs_is_in_it_and_no_secret_of_a_desk(pyz: Path) -> None:
    names = _names(pyz)
    assert {"function.toml", "terraform/.terraform.lock.hcl", "terraform/function.tf"} <= names
    assert "terraform/environments/production/terraform.tfvars" in names
    assert {f"{module.replace('.', '/')}.py" for module in _MODULES} <= names
    listed = subprocess.check_output(["git", "-C", ROOT, "ls-files"], text=True).splitlines()
    ours = {name for name in names if name.startswith(("pipeline/", "terraform/"))}
    untracked = subprocess.check_output(
        ["git", "-C", ROOT, "ls-files", "-o", "--exclude-standard"], text=True
    ).splitlines()
    assert ours <= {*listed, *untracked}


def test_the_sdk_has_every_service_that_is_called(pyz: Path) -> None:
    """And no other: their descriptions are most of what it weighs."""
    source = "".join(path.read_text() for path in (ROOT / "pipeline").rglob("*.py"))
    assert set(re.findall(r"\.client\(\s*\"(\w+)\"", source)) == CALLED
    services = {
        name.split("/")[2] for name in _names(pyz) if re.match(r"botocore/data/[^/]+/", name)
    }
    assert services == CALLED


def test_it_has_no_compiled_module(pyz: Path) -> None:
    """Those are for one Python and one kind of machine."""
    assert not any(name.endswith((".so", ".pyd", ".pyc")) for name in _names(pyz))


def test_the_same_tree_is_the_same_file(pyz: Path) -> None:
    assert zipapp.make() == pyz.read_bytes()


def test_an_installed_package_that_is_not_the_locked_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock = tmp_path / "requirements.txt"
    monkeypatch.setattr(zipapp, "_LOCK", lock)
    monkeypatch.setattr(zipapp, "ROOT", tmp_path)
    for text, refusal in (
        ("click==0.0.1 \\\n", r"click [\d.]+ is installed, but 0.0.1 is locked"),
        ("no-such-thing==1 \\\n", "no-such-thing is not installed"),
    ):
        lock.write_text(text)
        with pytest.raises(UsageError, match=refusal):
            dict(zipapp._dependencies())


def _stored(account: Aws, key: str) -> bytes:
    return account.s3.get_object(Bucket=account.artifact_bucket, Key=key)["Body"].read()


def test_it_is_stored_once_by_its_digest_which_each_environment_names(account: Aws) -> None:
    """An environment's rollbacks use one that is whole, whenever they begin."""
    staging, production = Environment("staging"), Environment("production")
    for environment, pyz in ((staging, b"one"), (production, b"one"), (staging, b"two")):
        assert store.put_pipeline(Target(account, environment), pyz) == sha256_hex(pyz)
    for environment, pyz in ((staging, b"two"), (production, b"one")):
        digest = _stored(account, f"pipeline/{environment.name}").decode().strip()
        assert _stored(account, f"packages/{digest}/pipeline.pyz") == pyz
    key = f"packages/{sha256_hex(b'three')}/pipeline.pyz"
    account.s3.put_object(Bucket=account.artifact_bucket, Key=key, Body=b"forged")
    with pytest.raises(BundleError, match="exists with other content"):
        store.put_pipeline(Target(account, staging), b"three")
