"""build: the same bytes everywhere, and never half a bundle."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from pipeline.packaging.zip_writer import write_zip
from pipeline.bundle.manifest import Manifest
from pipeline.config import LAYER_LOCK
from scratch.project import Project

_FILES = ("lambda_function.zip", "pymongo-layer.zip", "manifest.json")


def _digests(bundle: Path) -> dict[str, str]:
    return {name: hashlib.sha256((bundle / name).read_bytes()).hexdigest() for name in _FILES}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.copy_to(tmp_path / "project")


@pytest.fixture
def built(project: Project, built_bundle: Path) -> Project:
    """A project whose bundle was built already."""
    (project.folder / "build").mkdir()
    for name in _FILES:
        (project.folder / "build" / name).write_bytes((built_bundle / name).read_bytes())
    return project


@pytest.mark.integration
def test_two_checkouts_build_the_same_bytes(tmp_path: Path) -> None:
    """Path, umask, time zone, locale, mtimes, hash seed and home make no difference."""
    plain = Project.copy_to(tmp_path / "a")
    other = Project.copy_to(tmp_path / "somewhere else" / "ü")
    for number, path in enumerate(sorted(other.folder.rglob("*"))):
        os.utime(path, (10**9 + number, 10**9 + number))
    other.handler.chmod(0o700)
    settings = {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    other.environment |= settings | {"HOME": str(tmp_path)}
    digests = []
    for project, umask in ((plain, 0o022), (other, 0o077)):
        previous = os.umask(umask)
        try:
            done = project.run("build", "--out", "build")
            assert done.returncode == 0, done.stderr
            assert re.search(r"left out by function.toml: \d+ of \d+ files; ", done.stderr)
        finally:
            os.umask(previous)
        digests.append(_digests(project.folder / "build"))
    assert digests[0] == digests[1]


def test_file_order_makes_no_difference() -> None:
    """Whichever way a file system lists its entries, the zip is the same."""
    files = {"b.py": b"1", "a/x.py": b"2" * 1000, "a.py": b""}
    assert write_zip(files) == write_zip(dict(reversed(files.items())))


def test_only_a_small_package_is_compressed_as_far_as_possible() -> None:
    """Compressing a layer of 200 MB so would take a minute, for 3 % less."""
    text = b" ".join(str(number**3).encode() for number in range(20_000))
    small, large = write_zip({"a": text}), write_zip({"a": text, "b": bytes(10 << 20)})
    with (
        zipfile.ZipFile(io.BytesIO(small)) as best,
        zipfile.ZipFile(io.BytesIO(large)) as quick,
    ):
        assert best.getinfo("a").compress_size < quick.getinfo("a").compress_size
        assert quick.read("a") == text


def test_a_zip_is_one_that_everybody_reads() -> None:
    """What is written can be read back, is readable for all, and carries the earliest time."""
    files = {"a/x.py": b"text " * 1000, "empty": b"", "ü": b"\x00\xff"}
    with zipfile.ZipFile(io.BytesIO(write_zip(files, executable={"empty"}))) as archive:
        assert archive.testzip() is None
        assert {info.filename: archive.read(info) for info in archive.infolist()} == files
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
        assert modes == {"a/x.py": 0o100644, "empty": 0o100755, "ü": 0o100644}
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_function_package_holds_the_handler_and_nothing_else(built_bundle: Path) -> None:
    with zipfile.ZipFile(built_bundle / "lambda_function.zip") as archive:
        assert archive.namelist() == ["lambda_function.py"]


def test_the_layer_holds_what_the_handler_needs_and_no_more(built_bundle: Path) -> None:
    """pymongo, bson and dns (for mongodb+srv) are there; gridfs, C sources, type stubs are not."""
    with zipfile.ZipFile(built_bundle / "pymongo-layer.zip") as archive:
        names = archive.namelist()
    assert {name.split("/")[1] for name in names} == {"bson", "dns", "pymongo"}
    assert {name.rpartition(".")[2] for name in names} <= {"pyc", "so", "dat"}
    assert any(name.endswith("cpython-313-x86_64-linux-gnu.so") for name in names)


def test_the_manifest_names_every_file_by_its_digest(built_bundle: Path) -> None:
    document = json.loads((built_bundle / "manifest.json").read_text())
    content = document["content"]
    for key, name in (("function", "lambda_function.zip"), ("layer", "pymongo-layer.zip")):
        archive = (built_bundle / name).read_bytes()
        assert content[key]["sha256"] == hashlib.sha256(archive).hexdigest()
        assert content[key]["size_bytes"] == len(archive)
        with zipfile.ZipFile(io.BytesIO(archive)) as zip_file:
            listed = {file["path"]: file["sha256"] for file in content[key]["files"]}
            found = {
                each: hashlib.sha256(zip_file.read(each)).hexdigest()
                for each in zip_file.namelist()
            }
        assert listed == found
    assert (content["runtime"], content["architecture"]) == ("python3.13", "x86_64")
    locked = LAYER_LOCK.read_text()
    versions = document["source"]["dependencies"]
    assert "pymongo" in versions
    assert all(f"{name}=={version} " in locked for name, version in versions.items())


def test_the_commit_is_named_but_is_no_part_of_the_id(built: Project) -> None:
    """The same content from another commit is the same bundle."""
    before = json.loads((built.folder / "build/manifest.json").read_text())
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for arguments in (["init", "-q"], ["add", ".", ":!build"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *arguments], cwd=built.folder, check=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=built.folder, capture_output=True, text=True, check=True
    ).stdout.strip()
    built.must("build")
    after = json.loads((built.folder / "build/manifest.json").read_text())
    assert after["source"]["commit"] == commit != before["source"]["commit"]
    assert after["id"] == before["id"]


def test_a_manifest_from_before_dependencies_were_named_can_be_read(built_bundle: Path) -> None:
    """Or nobody could roll back to a release from then."""
    document = json.loads((built_bundle / "manifest.json").read_text())
    del document["source"]["dependencies"]
    assert Manifest.from_text(json.dumps(document)).id == document["id"]


def test_the_jobs_later_steps_get_the_bundles_id(built: Project) -> None:
    """On GitHub the id is an output of the step."""
    output = built.folder / "output"
    built.environment |= {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(output)}
    bundle = built.must("build").strip()
    name, value, _ = output.read_text().splitlines()
    assert (name.split("<<")[0], value) == ("bundle", bundle)


def test_an_unchanged_layer_is_not_rebuilt(built: Project) -> None:
    """With its lock unchanged, the layer needs neither pip nor a network."""
    built.environment |= _NO_NETWORK
    layer = _digests(built.folder / "build")["pymongo-layer.zip"]
    built.append_to_handler("# changed\n")
    done = built.run("build")
    assert done.returncode == 0, done.stderr
    assert "building the layer" not in done.stderr
    assert _digests(built.folder / "build")["pymongo-layer.zip"] == layer


@pytest.mark.integration
def test_another_machine_makes_another_layer(built: Project) -> None:
    """One word in function.toml makes it a bundle for arm64, which passes the inspection."""
    settings = built.folder / "function.toml"
    settings.write_text(settings.read_text().replace('= "x86_64"', '= "arm64"'))
    built.must("build")
    assert "on python3.13, arm64" in built.must("inspect", "build")
    with zipfile.ZipFile(built.folder / "build" / "pymongo-layer.zip") as archive:
        compiled = [name for name in archive.namelist() if name.endswith(".so")]
    assert compiled and all("aarch64" in name for name in compiled)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param(
            "import gridfs",
            "exclude: lambda_function.py:960 imports gridfs, which is left out",
            marks=pytest.mark.integration,  # the layer is made again
        ),
        ("from pymongo import AsyncMongoClient", "stubs: lambda_function.py:960 uses AsyncMongo"),
    ],
)
def test_a_handler_that_needs_what_is_left_out_stops_the_build(
    built: Project, line: str, message: str
) -> None:
    """Also if the layer is the same as before."""
    lines = len(built.handler.read_text().splitlines())
    built.append_to_handler(f"{line}\n")
    done = built.run("build")
    assert done.returncode == 1
    assert message.replace("960", str(lines + 1)) in done.stderr


def test_a_damaged_layer_is_not_taken_for_an_unchanged_one(built: Project) -> None:
    """It is built again, which needs the network."""
    layer = built.folder / "build/pymongo-layer.zip"
    layer.write_bytes(layer.read_bytes()[:-1] + b"x")
    built.environment |= _NO_NETWORK
    done = built.run("build")
    assert "building the layer" in done.stderr and "error[layer-not-built]" in done.stderr


@pytest.mark.parametrize(
    ("source", "place"),
    [
        pytest.param(b"def broken(:\n    pass\n", ":1:", id="syntax"),
        pytest.param(b"x = '\xff'\n", "lambda_function.py", id="encoding"),
        pytest.param(b"x = 1\0\n", "lambda_function.py", id="null byte"),
    ],
)
def test_a_handler_that_does_not_compile_stops_the_build(
    built: Project, source: bytes, place: str
) -> None:
    """The error names file and line, on GitHub as an annotation too; the old bundle stays."""
    before = _digests(built.folder / "build")
    built.handler.write_bytes(source)
    built.environment["GITHUB_ACTIONS"] = "true"
    done = built.run("build")
    assert done.returncode == 1
    assert "error[source-does-not-compile]" in done.stderr and place in done.stderr
    assert "::error file=lambda_function.py" in done.stderr and done.stdout == ""
    assert _digests(built.folder / "build") == before


def test_a_handler_that_cannot_be_imported_stops_the_build(built: Project) -> None:
    """It is imported from the packages that were just built; those from before stay."""
    before = _digests(built.folder / "build")
    built.append_to_handler("import importlib\nimportlib.import_module('nowhere')\n")
    done = built.run("build")
    assert done.returncode == 1
    assert "error[handler-not-imported]: Unable to import module 'lambda_function'" in done.stderr
    assert "No module named 'nowhere'" in done.stderr
    assert _digests(built.folder / "build") == before


def test_a_syntax_error_is_printed_with_a_caret(built: Project) -> None:
    built.handler.write_text("import os\nvalue = (1,\n  2]\n")
    lines = built.run("build").stderr.splitlines()
    [displayed] = [number for number, line in enumerate(lines) if line.strip() == "2]"]
    assert lines[displayed + 1].index("^") == lines[displayed].index("]")


def test_wheels_that_cannot_be_fetched_stop_the_build(built: Project) -> None:
    before = _digests(built.folder / "build")
    built.environment |= _NO_NETWORK
    lock = built.folder / "layer/requirements.txt"
    lock.write_text(lock.read_text() + "# another lock\n")
    done = built.run("build")
    assert done.returncode == 1 and "error[layer-not-built]" in done.stderr
    assert _digests(built.folder / "build") == before


def test_a_wheel_that_is_not_the_locked_one_stops_the_build(built: Project) -> None:
    lock = built.folder / "layer/requirements.txt"
    text = lock.read_text()
    for digest in {word for word in text.split() if word.startswith("--hash=sha256:")}:
        text = text.replace(digest, f"--hash=sha256:{hashlib.sha256(digest.encode()).hexdigest()}")
    lock.write_text(text)
    done = built.run("build")
    assert done.returncode == 1 and "error[layer-not-built]" in done.stderr
    assert "HASH" in done.stderr.upper()


# pip reads these as options; nothing listens on port 9.
_NO_NETWORK = {
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_EXTRA_INDEX_URL": "",
    "PIP_FIND_LINKS": "",
    "PIP_RETRIES": "0",
    "PIP_NO_CACHE_DIR": "1",
    "PIP_CONFIG_FILE": "/dev/null",
}
