"""Native code must fit the machine, Python and glibc of the runtime, and find its libraries."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from pipeline.config import FUNCTION_PACKAGE, LAYER_PACKAGE
from pipeline.inspection.elf import SharedObject, read_shared_object
from pipeline.inspection.rules import Rule
from tests.unit.inspection.violations import found
from tests.unit.inspection.elf_files import AARCH64, for_i386, shared_object
from tests.unit.inspection.malicious_zip import HANDLER, STORED, Item, compiled, sound

_TAG = "cpython-313-x86_64-linux-gnu"


def _with_field(at: int, value: bytes) -> bytes:
    """Return a shared object with a field of it changed."""
    content = shared_object()
    return content[:at] + value + content[at + len(value) :]


def _endless_versions() -> bytes:
    """Return a shared object whose list of versions leads back to itself."""
    content = bytearray(shared_object())
    at = content.index(struct.pack("<2H3I", 1, 1, 11, 16, 0))
    content[at : at + 16] = struct.pack("<2H3I", 1, 65535, 11, 16, 1)
    return bytes(content)


ELF_CASES: list[tuple[str, str, bytes, list[Rule]]] = [
    ("as it is", f"_c.{_TAG}.so", shared_object(), []),
    ("stable interface", "_c.abi3.so", shared_object(), []),
    ("library", "libc.so.6.1", shared_object(), []),
    ("program", "run", shared_object(kind=2), []),
    ("arm64", "_c.so", shared_object(machine=AARCH64), [Rule.WRONG_ARCHITECTURE]),
    ("i386", "_c.so", for_i386(), [Rule.WRONG_ARCHITECTURE]),
    ("Windows", "_c.cp313-win_amd64.pyd", b"MZ", [Rule.WRONG_ARCHITECTURE]),
    ("big-endian", "_c.so", _with_field(5, b"\2"), [Rule.WRONG_ARCHITECTURE]),
    (
        "musl",
        "_c.cpython-313-x86_64-linux-musl.so",
        shared_object(),
        [Rule.WRONG_ARCHITECTURE],
    ),
    ("older Python", "_c.cpython-312-x86_64-linux-gnu.so", shared_object(), [Rule.WRONG_PYTHON]),
    ("no GIL", "_c.cpython-313t-x86_64-linux-gnu.so", shared_object(), [Rule.WRONG_PYTHON]),
    ("PyPy", "_c.pypy310-pp73-x86_64-linux-gnu.so", shared_object(), [Rule.WRONG_PYTHON]),
    ("glibc 2.34", "_c.so", shared_object(glibc="GLIBC_2.34"), []),
    ("glibc 2.35", "_c.so", shared_object(glibc="GLIBC_2.35"), [Rule.GLIBC_TOO_NEW]),
    ("half of it", "_c.so", shared_object()[:200], [Rule.INVALID_ELF]),
    ("its last byte gone", "_c.so", shared_object()[:-1], [Rule.INVALID_ELF]),
    ("compiled only", "_c.so", shared_object(kind=1), [Rule.INVALID_ELF]),
    ("endless versions", "_c.so", _endless_versions(), [Rule.INVALID_ELF]),
    ("endless name", "_c.so", shared_object(["x" * 5000]), [Rule.INVALID_ELF]),
    ("data that looks like it", "data", b"\x7fELF", []),
    ("no library", "lib.so", shared_object(["libGL.so.1"]), [Rule.LIBRARY_NOT_PROVIDED]),
    ("libraries of the runtime", "lib.so", shared_object(["libz.so.1", "libssl.so.3"]), []),
]


@pytest.mark.parametrize(
    ("name", "content", "rules"), [case[1:] for case in ELF_CASES], ids=[c[0] for c in ELF_CASES]
)
def test_shared_objects_must_fit_the_runtime(
    tmp_path: Path, name: str, content: bytes, rules: list[Rule]
) -> None:
    """What cannot be loaded on the function's machine, Python and glibc is found beforehand."""
    draft = sound()
    draft.layer.append(Item(f"python/pymongo/{name}", content, method=STORED))
    expected = [(rule.id, LAYER_PACKAGE, f"python/pymongo/{name}", None) for rule in rules]
    assert found(draft.write(tmp_path / "b")) == expected


def test_what_is_read_is_what_the_loader_reads() -> None:
    """Both ways to say where libraries are looked for are read."""
    for tag in (15, 29):
        path = "$ORIGIN/../a.libs:/opt/lib"
        content = shared_object(["liba.so", "libc.so.6"], path=path, path_tag=tag)
        assert read_shared_object(content) == SharedObject(
            62, ("liba.so", "libc.so.6"), ("$ORIGIN/../a.libs", "/opt/lib"), (2, 17)
        )


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("$ORIGIN/../pymongo.libs", "python/pymongo.libs/liba.so.1"),
        ("${ORIGIN}/deep", "python/pymongo/deep/liba.so.1"),
        ("/opt/python/other:$ORIGIN", "python/other/liba.so.1"),
        ("", "python/pymongo/liba.so.1"),
        ("", "lib/liba.so.1"),
    ],
)
def test_a_library_is_found_where_the_loader_looks(tmp_path: Path, path: str, place: str) -> None:
    """Next to the file, along its path, and in the layer's lib/; nowhere else."""
    needy = Item(f"python/pymongo/_c.{_TAG}.so", shared_object(["liba.so.1"], path=path))
    draft = sound()
    draft.item("python/pymongo/__init__.py").content += b"from pymongo import _c\n"
    draft.layer += [needy, Item(place, shared_object())]
    assert found(draft.write(tmp_path / "b")) == []
    draft.layer[-1].path = "python/elsewhere/liba.so.1"
    assert found(draft.write(tmp_path / "c")) == [
        (Rule.LIBRARY_NOT_PROVIDED.id, LAYER_PACKAGE, str(needy.path), None)
    ]


_IMPORTS = {
    b"from ._c import thing": True,
    b"import pymongo._c": True,
    b"def late():\n    from . import _c": True,
    b"try:\n    from . import _c\nfinally:\n    pass": True,
    b"try:\n    from . import _c\nexcept ImportError:\n    _c = None": False,
    b"try:\n    from . import _c\nexcept Exception:\n    _c = None": False,
    b"import contextlib\nwith contextlib.suppress(ImportError):\n    import pymongo._c": False,
    b"import sys\nif sys.platform == 'win32':\n    import pymongo._c": False,
    b"# from . import _c": False,
}


@pytest.mark.parametrize("source", _IMPORTS)
def test_an_optional_extension_may_lack_its_library(tmp_path: Path, source: bytes) -> None:
    """numba has extensions for libraries that may be there: it imports them in a `try`."""
    for name, content in (("a.py", source), ("a.pyc", compiled(source))):
        path = f"python/pymongo/_c.{_TAG}.so"
        draft = sound()
        draft.layer += [Item(path, shared_object(["libtbb.so.12"]))]
        draft.layer.append(Item(f"python/pymongo/{name}", content + b"\n"))
        named = b"_c" in content if name.endswith("c") else _IMPORTS[source]
        findings = [(Rule.LIBRARY_NOT_PROVIDED.id, LAYER_PACKAGE, path, None)] if named else []
        assert found(draft.write(tmp_path / name)) == findings


def test_the_handler_can_be_what_needs_a_library(tmp_path: Path) -> None:
    """An extension at the top of a layer, such as pyodbc, is imported by the handler itself."""
    draft = sound()
    draft.layer.append(Item(f"python/pyodbc.{_TAG}.so", shared_object(["libodbc.so.2"])))
    assert found(draft.write(tmp_path / "a")) == []
    draft.item(HANDLER).content += b"import pyodbc\n"
    assert found(draft.write(tmp_path / "b")) == [
        (Rule.LIBRARY_NOT_PROVIDED.id, LAYER_PACKAGE, f"python/pyodbc.{_TAG}.so", None)
    ]


@pytest.mark.parametrize(
    "name",
    [
        "attach_x86.so",
        "_c.cpython-312-x86_64-linux-gnu.so",
        "_c.cp313-win_amd64.pyd",
        "aarch64/lib.so",
    ],
)
def test_files_for_other_platforms_may_lie_beside_those_that_fit(tmp_path: Path, name: str) -> None:
    """Some packages bring files for all platforms along, and load the one that fits."""
    draft = sound()
    content = shared_object(machine=AARCH64) if "aarch64" in name else for_i386()
    draft.layer.append(Item(f"python/pymongo/{name}", content))
    assert len(found(draft.write(tmp_path / "a"))) == 1
    draft.layer.append(Item(f"python/pymongo/_c.{_TAG}.so", shared_object()))
    assert found(draft.write(tmp_path / "b")) == []


def test_native_code_of_the_function_is_checked_too(tmp_path: Path) -> None:
    draft = sound()
    draft.function.append(Item("lib.so", shared_object(["libGL.so.1"])))
    rules = {rule for rule, package, *_ in found(draft.write(tmp_path / "b"))}
    assert Rule.LIBRARY_NOT_PROVIDED.id in rules and FUNCTION_PACKAGE
