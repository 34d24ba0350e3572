"""The handler is imported from the built packages, with only AWS's runtime besides."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from localcloud import downloads
from pipeline.bundle.manifest import Bundle, Manifest, Package
from pipeline.cli.build import RUNTIME_PACKAGES
from pipeline.config import FUNCTION_PACKAGE, LAYER_PACKAGE
from pipeline.errors import HandlerImportError
from pipeline.packaging import handler_import, zip_writer

_DONE = "lambda_function.lambda_handler can be imported from the built packages"


def _bundle(source: str, layer: dict[str, bytes] | None = None, **about: str) -> Bundle:
    function_zip = zip_writer.write_zip({"lambda_function.py": source.encode()})
    layer_zip = None if layer is None else zip_writer.write_zip(layer)
    manifest = Manifest(
        function=Package.of(FUNCTION_PACKAGE, function_zip),
        layer=None if layer_zip is None else Package.of(LAYER_PACKAGE, layer_zip),
        layer_lock_sha256=None,
        handler=about.get("handler", "lambda_function.lambda_handler"),
        runtime="python3.13",
        architecture=about.get("architecture", "x86_64"),
        commit=None,
        layer_recipe_sha256=None,
        dependencies={},
    )
    return Bundle(manifest, function_zip, layer_zip)


def _try(source: str, layer: dict[str, bytes] | None = None, **about: str) -> str:
    return handler_import.try_import(_bundle(source, layer, **about), RUNTIME_PACKAGES)


def test_the_runtime_is_where_it_is_installed() -> None:
    assert RUNTIME_PACKAGES == downloads.RUNTIME_PACKAGES


def test_a_handler_finds_the_runtime_its_layer_and_its_files() -> None:
    """And the lines that it prints disturb nothing."""
    source = "import boto3, shop\nprint('hello')\n"
    source += "assert shop.__file__.endswith('/opt/python/shop.py')\n"
    source += "def lambda_handler(event, context): pass\n"
    assert _try(source, {"python/shop.py": b"NAME = 'shop'\n"}) == _DONE
    assert _try("def lambda_handler(event, context): pass\n") == _DONE


@pytest.mark.parametrize(
    ("source", "layer", "message"),
    [
        # Both are installed here, and neither is in the runtime.
        (
            "import pytest\n",
            {},
            "Unable to import module 'lambda_function': No module named 'pytest'",
        ),
        ("import pipeline\n", {}, "No module named 'pipeline'"),
        ("import shop\n", {"python/shop.py": b"import nowhere\n"}, "No module named 'nowhere'"),
        ("import shop\n", {"python/shop.pyc": b"nothing"}, "bad magic number in 'shop'"),
        (
            "import importlib.metadata as m\nm.version('shop')\n",
            {"python/shop.py": b""},
            "No package metadata was found for shop",
        ),
        ("import shop\n", {"python/shop.so": b"\x7fELF"}, "shop.so: file too short"),
        ("import shop\n", {"python/shop.py": b"return 1\n"}, "Syntax error in module"),
        ("other = 1\n", {}, "Handler 'lambda_handler' missing on module 'lambda_function'"),
        ("import os\nos._exit(3)\n", {}, "ended Python with status 3"),
    ],
)
def test_the_message_is_lambdas(source: str, layer: dict[str, bytes], message: str) -> None:
    """The sentence is that of Lambda's log, with the place as it is there."""
    with pytest.raises(HandlerImportError) as error:
        _try(source, layer)
    assert message in error.value.message
    assert 'File "/tmp' not in error.value.message
    assert "make lock ONLY=layer/requirements" in error.value.hint
    assert "`files` of function.toml" in error.value.hint


def test_the_lines_that_led_there_are_printed() -> None:
    with pytest.raises(HandlerImportError) as error:
        _try("import shop\n", {"python/shop.py": b"import nowhere\n"})
    assert 'File "/var/task/lambda_function.py", line 1' in error.value.message
    assert 'File "/opt/python/shop.py", line 1' in error.value.message


@pytest.mark.parametrize(
    ("source", "raised"),
    [
        ("import os\nTABLE = os.environ['TABLE']\n", "KeyError: 'TABLE'"),
        ("import boto3\nboto3.client('sts').get_caller_identity()\n", "NoCredentialsError"),
        ("raise SystemExit\n", "SystemExit"),
    ],
)
def test_errors_that_missing_settings_may_cause_are_only_reported(source: str, raised: str) -> None:
    """Neither the function's environment variables nor AWS are there when it is built."""
    assert f"importing lambda_function.lambda_handler raised {raised}" in _try(source)


def test_where_it_cannot_run_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another architecture, an older machine, or one without the runtime proves nothing."""
    bad = "import nowhere\n"
    assert "it is built for Linux on arm64" in _try(bad, architecture="arm64")
    output = handler_import.try_import(_bundle(bad), tmp_path)
    assert f"{tmp_path} does not hold the packages of AWS's runtime" in output
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.31"))
    assert "older than glibc 2.34" in _try(bad)
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert "built for Linux on x86_64" in _try(bad)


def test_a_handler_in_a_package_is_imported_by_its_whole_name() -> None:
    source = "def lambda_handler(event, context): pass\n"
    layer = {"python/shop/api/main.py": b"import lambda_function\nanswer = None\n"}
    assert "shop.api.main.answer can be" in _try(source, layer, handler="shop.api.main.answer")
