"""Small wheels, and a folder of them as pip's only index."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

# pyproject.toml of a folder of the repository that is a package of the layer.
OWN_PACKAGE = """
[build-system]
requires = ["setuptools==80.9.0"]
build-backend = "setuptools.build_meta"
[project]
name = "prices"
version = "1.0"
"""


def write_wheel(
    folder: Path,
    name: str,
    files: Mapping[str, bytes],
    *,
    release: str = "1.0",
    tags: str = "py3-none-any",
    executable: tuple[str, ...] = (),
) -> str:
    """Write a wheel of the `files` (path in it: content); return its line of a lock file."""
    info = f"{name}-{release}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {release}\n".encode()
    about = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tags}\n".encode()
    contents = {**files, f"{info}/METADATA": metadata, f"{info}/WHEEL": about}
    record = "".join(
        f"{path},sha256={_digest(content)},{len(content)}\n" for path, content in contents.items()
    )
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = folder / f"{name}-{release}-{tags}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in contents.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (0o100755 if path in executable else 0o100644) << 16
            archive.writestr(entry, content)
    return f"{name}=={release} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"


def only_index(folder: Path) -> dict[str, str]:
    """Return the environment that lets pip find the wheels in a folder, and nothing else."""
    return {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder),
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_CACHE_DIR": "1",
    }


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
