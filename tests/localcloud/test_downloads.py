"""The real parts are fetched once, and only if they are the pinned ones."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from localcloud import downloads

pytestmark = pytest.mark.integration

WHEEL = "aws_sam_cli-1.170.0-py3-none-any.whl"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let parts be installed into a folder of the test's own, from a wheel that the test made.

    The wheel is locked by its hash as it has to be; only the binary in it is not the pinned one.
    """
    wheels, locks, folder = tmp_path / "wheels", tmp_path / "locks", tmp_path / "parts"
    wheels.mkdir()
    locks.mkdir()
    with zipfile.ZipFile(wheels / WHEEL, "w") as wheel:
        for machine in ("x86_64", "arm64"):
            wheel.writestr(f"samcli/local/rapid/aws-lambda-rie-{machine}", "not the emulator")
        about = "Metadata-Version: 2.1\nName: aws-sam-cli\nVersion: 1.170.0\n"
        wheel.writestr("aws_sam_cli-1.170.0.dist-info/METADATA", about)
        wheel.writestr("aws_sam_cli-1.170.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        wheel.writestr("aws_sam_cli-1.170.0.dist-info/RECORD", "")
    digest = hashlib.sha256((wheels / WHEEL).read_bytes()).hexdigest()
    (locks / "rie.txt").write_text(f"aws-sam-cli==1.170.0 --hash=sha256:{digest}\n")
    (locks / "runtime.txt").write_text("# nothing\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setattr(downloads, "_HERE", locks)
    monkeypatch.setattr(downloads, "_FOLDER", folder)
    monkeypatch.setattr(downloads, "_STAMP", folder / "installed")
    monkeypatch.setattr(downloads, "EMULATOR", folder / "aws-lambda-rie")
    monkeypatch.setattr(downloads, "RUNTIME_PACKAGES", folder / "runtime")
    return folder


def test_a_binary_that_is_not_the_pinned_one_is_refused(elsewhere: Path) -> None:
    """The error has its sha256, the file is deleted, and nothing counts as installed."""
    with pytest.raises(downloads.DownloadMissingError) as refusal:
        downloads.install()
    assert hashlib.sha256(b"not the emulator").hexdigest() in str(refusal.value)
    assert not list(elsewhere.iterdir())


@pytest.fixture
def pinned(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the binary in the test's wheel be the pinned one."""
    digest = hashlib.sha256(b"not the emulator").hexdigest()
    monkeypatch.setattr(downloads, "_EMULATOR_SHA256", {"x86_64": digest, "arm64": digest})


def test_the_pinned_binary_is_kept(pinned: None) -> None:
    """The one file is taken out of the wheel, and can be run."""
    downloads.install()
    assert downloads.EMULATOR.read_text() == "not the emulator"
    assert downloads.EMULATOR.stat().st_mode & 0o111


def test_what_is_installed_is_not_fetched_again(
    elsewhere: Path, pinned: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second install does nothing, so it needs no network; after a new lock it fetches."""
    downloads.install()
    monkeypatch.setenv("PIP_FIND_LINKS", str(elsewhere / "nowhere"))
    before = downloads.EMULATOR.stat()
    downloads.install()
    assert downloads.EMULATOR.stat() == before
    with (elsewhere.parent / "locks" / "rie.txt").open("a") as lock:
        lock.write("# changed\n")
    with pytest.raises(downloads.DownloadMissingError, match="pip could not fetch"):
        downloads.install()


def test_a_machine_without_a_packaged_mongod_gets_a_hint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the package is not for this machine, the message names MONGODB_URI."""
    monkeypatch.setitem(sys.modules, "fiftyone", None)
    with pytest.raises(downloads.DownloadMissingError, match="set MONGODB_URI"):
        downloads.mongod()
