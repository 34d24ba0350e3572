"""The layer as Python imports it, and what was left out of it on purpose."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipeline.bundle import bytecode
from pipeline.errors import LayerError
from pipeline.packaging.layer import _check_size

ROOT = Path(__file__).resolve().parents[3]

# Imports every module there is, but for those that begin with what a user would have to add.
_IMPORT_ALL = """
import importlib, pathlib, sys
layer = pathlib.Path(sys.argv[1])
for file in sorted(layer.rglob("*.pyc")):
    name = ".".join(file.relative_to(layer).with_suffix("").parts).removesuffix(".__init__")
    if name not in ("pymongo.daemon", "dns.win32util"):  # another program; for Windows
        importlib.import_module(name)
import pymongo, bson, dns.resolver
assert pymongo.has_c() and bson.has_c()
assert all(each.__file__.startswith(str(layer)) for each in (pymongo, bson, dns.resolver))
print(pymongo.__file__)
try:
    pymongo.AsyncMongoClient("mongodb://localhost/")
except NotImplementedError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def layer(built_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Lambda makes of the layer: a folder on the import path."""
    folder = tmp_path_factory.mktemp("layer")
    with zipfile.ZipFile(built_bundle / "pymongo-layer.zip") as archive:
        archive.extractall(folder)
    return folder / "python"


def _python(layer: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the deployed Python with the layer first on its path."""
    environment = os.environ | {"PYTHONPATH": str(layer), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def test_every_module_of_the_layer_can_be_imported(layer: Path) -> None:
    """With the C extensions; and what is left out says so when it is used."""
    done = _python(layer, "-S", "-c", _IMPORT_ALL, str(layer))
    assert done.returncode == 0, done.stderr
    assert "without pymongo's asynchronous half" in done.stdout


def test_a_traceback_names_the_place_that_lambda_unpacks_to(layer: Path) -> None:
    done = _python(layer, "-S", "-c", "import pymongo; pymongo.MongoClient(port='x')")
    assert '"/opt/python/pymongo/synchronous/mongo_client.py", line ' in done.stderr


@pytest.mark.extended
def test_the_handler_passes_its_tests_on_the_layer(layer: Path) -> None:
    """What it relies on of pymongo is in the layer, and does the same there."""
    tests = [f"tests/handler/test_{name}.py" for name in ("actions", "formats", "refusals")]
    origin = "import pymongo; assert pymongo.__file__.endswith('.pyc')"
    assert _python(layer, "-c", origin).returncode == 0
    done = _python(layer, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_layer_that_lambda_would_refuse_is_not_zipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says which packages are so large."""
    monkeypatch.setattr("pipeline.packaging.layer.MAX_UNZIPPED_BYTES", 1_500)
    (tmp_path / "file").write_bytes(bytes(1_000))
    _check_size({"torch/a.so": tmp_path / "file"})
    with pytest.raises(
        LayerError, match="2,000 bytes .torch 2,000, ....,.*accepts 1,500"
    ) as caught:
        _check_size({"torch/a.so": tmp_path / "file", "torch/b.so": tmp_path / "file"})
    assert "container image" in caught.value.hint


def test_source_that_does_not_compile_is_an_error() -> None:
    with pytest.raises(LayerError, match="return"):
        bytecode.compile_sources({"python/a.py": b"return 1"})
