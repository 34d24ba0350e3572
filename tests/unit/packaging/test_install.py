"""pip installs what it would on Lambda: every file of every wheel; its errors say what to do."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.errors import LayerError
from pipeline.packaging import pip
from tests.unit.packaging.wheels import only_index, write_wheel

_FILES = {
    "shop/__init__.py": b"",
    "shop/__init__.pyi": b"",
    "shop/py.typed": b"",
    "shop/_native.c": b"",
    "shop/tests/test_shop.py": b"",
    "shop/bin/tool": b"#!/bin/sh\n",
    "shop.libs/libshop.so.1": b"\x7fELF",
    "_shop_backend.so": b"\x7fELF",
    "shop-1.0.data/data/share/shop/data.txt": b"1",
    "shop-1.0.data/scripts/shop-script": b"#!python\nimport shop\n",
    "shop-1.0.dist-info/entry_points.txt": b"[console_scripts]\nshop = shop:main\n",
    "shop-1.0.dist-info/licenses/LICENSE": b"free",
}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that is all that pip finds."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name, value in only_index(folder).items():
        monkeypatch.setenv(name, value)
    return folder


def _install(tmp_path: Path, *lines: str, name: str = "layer") -> dict[str, tuple[bytes, bool]]:
    """Return what is installed: path → content, and whether it is executable."""
    wheels = tmp_path / "wheels"
    wheels.mkdir(exist_ok=True)
    pip.install(list(lines), wheels, tmp_path / name)
    return _tree(tmp_path / name)


def _tree(folder: Path) -> dict[str, tuple[bytes, bool]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), bool(path.stat().st_mode & 0o100))
        for path in files
    }


def test_every_file_of_a_wheel_is_installed_with_its_mode(index: Path, tmp_path: Path) -> None:
    """As `pip install --target` installs it, but for the interpreter that programs name."""
    line = write_wheel(index, "shop", _FILES, executable=("shop/bin/tool",))
    found = _install(tmp_path, line)
    plain = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "shop"]
    subprocess.run([*plain, "--target", str(tmp_path / "plain")], check=True)
    expected = _tree(tmp_path / "plain")
    assert {path: mode for path, (_, mode) in found.items()} == {
        path: mode for path, (_, mode) in expected.items()
    }
    differing = {path for path in found if found[path] != expected[path]}
    assert differing == {"bin/shop", "bin/shop-script", "shop-1.0.dist-info/RECORD"}
    assert all(
        found[f"bin/{name}"][0].startswith(b"#!/var/lang/bin/python3.13\n")
        for name in ("shop", "shop-script")
    )
    assert found["shop/bin/tool"][1] and not found["shop/__init__.py"][1]
    assert found["share/shop/data.txt"][0] == b"1"


def test_it_is_the_same_wherever_and_whenever(index: Path, tmp_path: Path) -> None:
    line = write_wheel(index, "shop", _FILES)
    before = _install(tmp_path, line)
    os.utime(next(index.iterdir()), (10**9, 10**9))
    assert _install(tmp_path, line, name="somewhere else ü") == before


def test_a_wheel_that_lambda_can_run_is_taken_rather_than_a_pure_one(
    index: Path, tmp_path: Path
) -> None:
    """Whichever platform it names that glibc 2.34 has. The order is pip's: the newest first."""
    tags = {
        "a": "cp313-cp313-manylinux_2_27_x86_64",
        "b": "cp313-cp313-manylinux_2_34_x86_64",
        "c": "cp39-abi3-manylinux_2_12_x86_64.manylinux2010_x86_64",
        "d": "cp313-cp313-manylinux1_x86_64",
        "e": "cp313-none-linux_x86_64",
        "f": "cp313-cp313-manylinux2014_x86_64",
    }
    lines = []
    for name, tag in tags.items():
        native = write_wheel(index, name, {f"{name}/native.txt": b""}, tags=tag)
        pure = write_wheel(index, name, {f"{name}/pure.txt": b""})
        lines.append(f"{native} {pure.partition(' ')[2]}")
    found = {path for path in _install(tmp_path, *lines) if path.endswith(".txt")}
    assert found == {f"{name}/native.txt" for name in tags}


@pytest.mark.parametrize("tag", ["cp313-cp313-manylinux_2_35_x86_64", "py3-none-win_amd64"])
def test_no_wheel_for_lambda_says_what_there_is(index: Path, tmp_path: Path, tag: str) -> None:
    line = write_wheel(index, "shop", {"a.py": b""}, tags=tag)
    (index / "shop-1.0.tar.gz").write_bytes(b"")
    python, _, platform = tag.split("-")
    there_is = (
        f"shop 1.0 has no wheel for python3.13 on x86_64: there is only {python}-{platform}, source"
    )
    with pytest.raises(LayerError, match=re.escape(there_is)):
        _install(tmp_path, line)


def test_a_wheel_for_another_python_says_for_which(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an index states it."""
    line = write_wheel(index, "shop", {"a.py": b""})
    [wheel] = index.iterdir()
    page = tmp_path / "simple" / "shop" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="{wheel.as_uri()}" data-requires-python="&lt;3.13">{wheel.name}</a>')
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    with pytest.raises(LayerError, match="there is only py3-any <3.13"):
        _install(tmp_path, line)


def test_source_alone_is_no_wheel(index: Path, tmp_path: Path) -> None:
    (index / "shop-1.0.tar.gz").write_bytes(b"")
    with pytest.raises(LayerError, match="there is only source") as caught:
        _install(tmp_path, "shop==1.0 --hash=sha256:" + "0" * 64)
    assert "build a wheel" in caught.value.hint


def test_a_file_that_was_not_locked_is_refused(index: Path, tmp_path: Path) -> None:
    write_wheel(index, "shop", _FILES)
    with pytest.raises(LayerError, match="DO NOT MATCH THE HASHES") as caught:
        _install(tmp_path, "shop==1.0 --hash=sha256:" + "0" * 64)
    digest = hashlib.sha256(next(index.iterdir()).read_bytes()).hexdigest()
    assert digest in caught.value.message and "Find out why" in caught.value.hint


def test_a_release_that_is_not_in_the_index(index: Path, tmp_path: Path) -> None:
    write_wheel(index, "shop", _FILES, release="2.0")
    with pytest.raises(LayerError, match="pip finds no shop 1.0: it is not in its index"):
        _install(tmp_path, "shop==1.0 --hash=sha256:" + "0" * 64)


def test_a_wheel_that_is_too_large_is_not_downloaded(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size is known before its content comes."""
    line = write_wheel(index, "torch", {"torch/large.so": bytes(1 << 20)})
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(index))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        monkeypatch.setenv("PIP_FIND_LINKS", f"http://127.0.0.1:{server.server_port}/")
        try:
            with pytest.raises(LayerError, match="torch-1.0-py3-none-any.whl has 1,04") as caught:
                pip.install([line], tmp_path, tmp_path / "layer", limit_bytes=1 << 19)
        finally:
            server.shutdown()
    assert "container image" in caught.value.hint and not (tmp_path / "layer").exists()


def test_an_index_that_cannot_be_reached(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nothing listens there
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(LayerError, match="cannot read the index, http://127.0.0.1:9/") as caught:
        _install(tmp_path, "shop==1.0 --hash=sha256:" + "0" * 64)
    assert "network" in caught.value.hint
