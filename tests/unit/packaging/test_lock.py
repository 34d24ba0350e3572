"""The lock file: pip's requirements, uv.lock or pylock.toml, read for Lambda's platform."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config import ROOT
from pipeline.errors import LayerError
from pipeline.packaging import lock, own_packages, pip
from pipeline.packaging.lock import Lock
from tests.unit.packaging.wheels import OWN_PACKAGE, only_index, write_wheel

_HASH = "--hash=sha256:" + "0" * 64


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of its own."""
    for module in (lock, own_packages):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    (tmp_path / "layer").mkdir()
    return tmp_path


def _lock(root: Path, text: str, name: str = "layer/requirements.txt") -> Lock:
    (root / name).write_text(text)
    return Lock(root / name)


def test_this_repositorys_own_lock_can_be_read() -> None:
    read = Lock(ROOT / "layer" / "requirements.txt")
    assert [line.split()[0] for line in read.lines] == ["dnspython==2.9.2", "pymongo==4.20.0"]


def test_releases_keep_their_hashes_and_options_stay(root: Path) -> None:
    text = (
        "# a comment\n--extra-index-url https://pypi.example.com/simple\n\n"
        f"one==1.0 \\\n    {_HASH} \\\n    --hash=sha256:{'1' * 64}\n    # via two\n"
        f"two[extra]==2 {_HASH} # why\n"
    )
    assert _lock(root, text).lines == [
        "--extra-index-url https://pypi.example.com/simple",
        f"one==1.0 {_HASH} --hash=sha256:{'1' * 64}",
        f"two[extra]==2 {_HASH}",
    ]


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("sys_platform == 'linux'", True),
        ("sys_platform == 'win32'", False),
        ("platform_system == 'Darwin'", False),
        ("platform_machine == 'x86_64'", True),
        ("platform_machine == 'arm64'", False),
        ("python_version < '3.14'", True),
        ("implementation_name == 'pypy'", False),
        ("os_name == 'nt' or python_full_version < '3.0'", False),
    ],
)
def test_markers_are_about_lambda(
    root: Path, monkeypatch: pytest.MonkeyPatch, marker: str, holds: bool
) -> None:
    """Built on a Mac, too."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert bool(_lock(root, f"one==1 ; {marker} \\\n    {_HASH}\n").lines) == holds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one==1.0\n", "has no hash for one==1.0"),
        (f"one @ git+https://example.com/one@{'0' * 40}\n", "has no hash for one @ git"),
        ("-r other.txt\n", "refers to another file"),
        ("one = 1\n", "holds 'one = 1'"),
    ],
)
def test_what_is_no_lock_says_what_to_do(root: Path, text: str, message: str) -> None:
    with pytest.raises(LayerError, match=message) as caught:
        _lock(root, text)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["layer/requirements.txt", "uv.lock", "pylock.toml"])
def test_a_lock_that_is_missing(root: Path, name: str) -> None:
    with pytest.raises(LayerError, match=f"{name} cannot be read"):
        Lock(root / name)


def test_uv_and_pylock_give_what_requirements_give(root: Path) -> None:
    """Hashes, markers and folders; not the development group, nor the project itself."""
    hash_of_all = "sha256:" + "0" * 64
    (root / "pyproject.toml").write_text(
        '[project]\nname = "app"\nversion = "0"\nrequires-python = ">=3.13"\n'
        """dependencies = ["one", "prices", "two; sys_platform == 'win32'"]\n"""
        '[dependency-groups]\ndev = ["three"]\n[tool.uv.sources]\nprices = { path = "shared" }\n'
    )
    locked = "".join(
        f'[[package]]\nname = "{name}"\nversion = "1.0"\n'
        'source = { registry = "https://pypi.org/simple" }\n'
        f'wheels = [{{ url = "https://example.com/{name}-1.0-py3-none-any.whl", '
        f'hash = "{hash_of_all}" }}]\n'
        for name in ("one", "two", "three")
    )
    uv = (
        'version = 1\nrevision = 3\nrequires-python = ">=3.13"\n'
        '[[package]]\nname = "app"\nversion = "0"\nsource = { virtual = "." }\n'
        'dependencies = [{ name = "one" }, { name = "prices" }, '
        """{ name = "two", marker = "sys_platform == 'win32'" }]\n"""
        '[package.dev-dependencies]\ndev = [{ name = "three" }]\n'
        '[[package]]\nname = "prices"\nversion = "1.0"\nsource = { directory = "shared" }\n'
    )
    (root / "shared").mkdir()
    (root / "shared" / "pyproject.toml").write_text(OWN_PACKAGE)
    read = _lock(root, uv + locked, "uv.lock")
    assert read.lines == [f"one==1.0 {_HASH}"]
    assert [package.place for package in read.own] == [root / "shared"]
    export = ["-m", "uv", "export", "-q", "--frozen", "--no-default-groups", "--no-emit-project"]
    to_file = [
        "--format",
        "pylock.toml",
        "--python",
        sys.executable,
        "--output-file",
        "pylock.toml",
    ]
    subprocess.run([sys.executable, *export, *to_file], cwd=root, check=True)
    pylock = Lock(root / "pylock.toml")
    assert (pylock.lines, pylock.own) == (read.lines, read.own)


@pytest.mark.parametrize(
    "line", ["./shared", "-e ./shared", "prices @ file:./shared", "./shared ; python_version > '3'"]
)
def test_a_folder_is_a_package_of_this_repository(root: Path, line: str) -> None:
    [package] = _lock(root, f"{line}\n").own
    assert package.place == root / "shared"
    with pytest.raises(LayerError, match="shared is not there"):
        package.files()


def test_a_wheel_of_this_repository_is_taken_with_its_hash(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in only_index(root / "wheels").items():
        monkeypatch.setenv(name, value)
    folder, wheels = root / "layer" / "wheels", root / "wheels"
    folder.mkdir()
    wheels.mkdir()
    line = write_wheel(folder, "prices", {"prices.py": b"P = 1"})
    path = "./layer/wheels/prices-1.0-py3-none-any.whl"
    [package] = _lock(root, f"{path} \\\n    {line.partition(' ')[2]}\n").own
    requirement = package.requirement(wheels)
    assert requirement == line
    pip.install([requirement], wheels, root / "target")
    installed = {path.name for path in (root / "target").rglob("*") if path.is_file()}
    # Nothing of where the wheel was on this machine: no direct_url.json.
    assert installed == {"prices.py", "METADATA", "WHEEL", "RECORD", "INSTALLER", "REQUESTED"}
    [package] = _lock(root, f"{path} {_HASH}\n").own
    with pytest.raises(LayerError, match="DO NOT MATCH THE HASHES"):
        pip.install([package.requirement(wheels)], wheels, root / "other")


@pytest.mark.extended
def test_a_folder_becomes_a_wheel_the_same_each_time(root: Path) -> None:
    """Its leftovers are no part of it, and it gets none."""
    source = root / "shared"
    (source / "prices").mkdir(parents=True)
    (source / "prices" / "__init__.py").write_text("P = 1\n")
    (source / "pyproject.toml").write_text(OWN_PACKAGE)
    [package] = _lock(root, "./shared\n").own
    digests = []
    for name in ("a", "b"):
        (source / "build" / "lib" / "prices").mkdir(parents=True, exist_ok=True)
        (source / "build" / "lib" / "prices" / "stale.py").write_text(name)
        (root / name).mkdir()
        requirement = package.requirement(root / name)
        target = root / f"target-{name}"
        pip.install([requirement], root / name, target)
        files = sorted(path for path in target.rglob("*") if path.is_file())
        digests.append(
            [
                (path.relative_to(target), hashlib.sha256(path.read_bytes()).hexdigest())
                for path in files
            ]
        )
    assert digests[0] == digests[1]
    assert "stale.py" not in {path.name for path, _ in digests[0]}
    assert {path.name for path in source.iterdir()} == {"prices", "pyproject.toml", "build"}


@pytest.mark.parametrize(
    ("pyproject", "message"),
    [
        ("", r"no usable \[build-system\]"),
        ("[project]\n", r"no usable \[build-system\]"),
        (OWN_PACKAGE.replace("==80.9.0", ">=61"), "any release of setuptools"),
    ],
)
def test_a_folder_that_cannot_be_built_the_same_tomorrow(
    root: Path, pyproject: str, message: str
) -> None:
    (root / "shared").mkdir()
    (root / "shared" / "prices.py").write_text("")
    if pyproject:
        (root / "shared" / "pyproject.toml").write_text(pyproject)
    [package] = _lock(root, "./shared\n").own
    with pytest.raises(LayerError, match=message) as caught:
        package.requirement(root)
    assert "pyproject.toml" in caught.value.hint or "files" in caught.value.hint
