"""Packages that people put into layers: locked, built, imported as on Lambda, and inspected."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scratch.project import Project
from tests.unit.packaging.wheels import OWN_PACKAGE

# It breaks if the layer lacks what pip installs: libraries next to a package, modules that native
# code imports, metadata, data. tests/packages tries many more.
_SOME = (
    "cryptography\ntzdata\nparamiko\npydantic\n./prices",
    "from zoneinfo import ZoneInfo\n"
    "from importlib.metadata import version\n"
    "from typing import TYPE_CHECKING\n"
    "import paramiko, prices, pydantic\n"
    "from cryptography.fernet import Fernet\n"
    "if TYPE_CHECKING:\n    from mypy_boto3_s3 import S3Client\n"
    "try:\n    import orjson\nexcept ImportError:\n    orjson = None\n"
    "Fernet(Fernet.generate_key())\nZoneInfo('Europe/Berlin')\nversion('paramiko')\n"
    "class Order(pydantic.BaseModel):\n    price: int\n"
    "assert Order(price='1').price == 1",
)


def _build(folder: Path, requirements: str, code: str) -> Project:
    """Build a function with a layer, and inspect it. `prices` is a package of its repository."""
    project = Project.copy_to(folder)
    shutil.rmtree(folder / "layer")
    (folder / "layer").mkdir()
    (folder / "layer" / "requirements.in").write_text(f"{requirements}\n")
    (folder / "prices" / "prices").mkdir(parents=True)
    (folder / "prices" / "pyproject.toml").write_text(OWN_PACKAGE)
    (folder / "prices" / "prices" / "__init__.py").write_text("PRICE = 1\n")
    lock = ["-m", "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
    lock += ["--python-version", "3.13", "layer/requirements.in", "-o", "layer/requirements.txt"]
    subprocess.run([sys.executable, *lock], cwd=folder, check=True)
    (folder / "app.py").write_text(f"{code}\n\n\ndef handler(event, context):\n    return 'done'\n")
    (folder / "function.toml").write_text(
        'name = "app"\nhandler = "app.handler"\nruntime = "python3.13"\narchitecture = "x86_64"\n'
        '[layer]\nname = "packages"\n'
    )
    done = project.run("build")
    assert done.returncode == 0, done.stderr
    assert "app.handler can be imported from the built packages" in done.stderr
    project.must("inspect")
    return project


@pytest.mark.integration
def test_a_few_packages_that_a_trace_of_imports_would_break(tmp_path: Path) -> None:
    project = _build(tmp_path / "project", *_SOME)
    manifest = json.loads((project.folder / "build" / "manifest.json").read_text())
    # What cryptography and paramiko need is named, and colorama, for Windows, is not.
    dependencies, own = (manifest["source"][key] for key in ("dependencies", "own_files"))
    assert {"cffi", "cryptography", "paramiko", "prices", "tzdata"} <= dependencies.keys()
    assert "python/prices/__init__.py" in own and "python/paramiko/__init__.py" not in own
    paths = {file["path"] for file in manifest["content"]["layer"]["files"]}
    for name, version in dependencies.items():
        assert f"python/{name.replace('-', '_')}-{version}.dist-info/METADATA" in paths


@pytest.mark.extended
def test_a_layer_close_to_the_limit_of_250_mb(tmp_path: Path) -> None:
    """AWS's limit by S3 is about unzipped bytes; 50 MB is one of direct uploads."""
    project = _build(
        tmp_path / "project",
        "scikit-learn\npandas",
        "import sklearn.linear_model, pandas\nsklearn.linear_model.LinearRegression()",
    )
    assert (project.folder / "build" / "packages-layer.zip").stat().st_size > 50 << 20
