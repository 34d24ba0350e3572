"""Every rule of the inspection: a bundle that breaks just that one is reported for just that."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from pipeline.inspection.entries import check_unzipped_size
from pipeline.runtimes import MAX_UNZIPPED_BYTES
from pipeline.inspection.inspector import inspect_bundle
from pipeline.inspection.zip_reader import CHUNK_BYTES, DamageError, open_package
from pipeline.config import FUNCTION_PACKAGE, LAYER_PACKAGE
from pipeline.inspection.rules import Rule
from pipeline.inspection.unpacking import read_chunks
from tests.unit.inspection import violate_contents, violate_entries, violate_manifest, violate_zip
from tests.unit.inspection.violations import BREAKS, TODAY, Break, found
from tests.unit.inspection.malicious_zip import (
    DEFLATED,
    STORED,
    Item,
    sound,
    write_zip,
)
from tests.unit.inspection.test_native import ELF_CASES

# To import them is to register what they break.
KINDS = (violate_manifest, violate_zip, violate_entries, violate_contents)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (b"", "no name"),
        (b"/etc/passwd", "absolute"),
        (b"../evil.py", "parent"),
        (b"python/../../evil.py", "parent"),
        (b"python/bson/..", "parent"),
        (b"python/./evil.py", "dot"),
        (b"python//evil.py", "empty part"),
        (b"python\\evil.py", "backslash"),
        (b"C:/evil.py", "drive"),
        (b"python/evil.py\0.txt", "control"),
        (b"python/\x1b[2Jevil.py", "control"),
        (b"python/evil\n.py", "control"),
        ("python/\u202eyp.live".encode(), "invisible"),
        (b"python/\xff.py", "encoding"),
        (b"python/" + b"x" * 256, "longer"),
        (b"python/" + b"x/" * 2100 + b"x", "longer"),
    ],
)
def test_each_unsafe_path_is_reported(tmp_path: Path, name: bytes, problem: str) -> None:
    """A name that leads elsewhere, or that two programs read differently, never passes."""
    draft = sound()
    item = Item(name, b"")
    draft.layer.append(item)
    (finding,) = inspect_bundle(draft.write(tmp_path / "b"), TODAY).findings
    assert (finding.rule, finding.path) == (Rule.UNSAFE_PATH, item.listed_path)
    assert problem in finding.message


@pytest.mark.parametrize("case", BREAKS, ids=lambda case: case.apply.__name__)
def test_a_broken_rule_is_reported_and_no_other(tmp_path: Path, case: Break) -> None:
    """One thing wrong is one finding: that rule, in that package, at that entry and line."""
    draft = sound()
    case.apply(draft)
    assert found(draft.write(tmp_path / "b"), case.today) == [
        (case.rule.id, case.package, case.path, case.line)
    ]


def test_the_limit_is_what_still_passes() -> None:
    """AWS's limit of 250 MB unzipped is a limit for both packages together, to the byte."""
    sizes = {FUNCTION_PACKAGE: 1000, LAYER_PACKAGE: MAX_UNZIPPED_BYTES - 1000}
    for more, findings in ((0, 0), (1, 1)):
        packages = [
            open_package(name, io.BytesIO(write_zip([Item("f", size_bytes=size + more)])))
            for name, size in sizes.items()
        ]
        assert len(check_unzipped_size(packages[:1])) == 0
        assert len(check_unzipped_size(packages)) == findings


def test_no_more_is_unpacked_than_is_stated() -> None:
    """A size that is a lie is found out when it is reached, not when all is unpacked."""
    data = Item("data", bytes(50_000_000))
    lie = Item("data", packed=data.packed_content(), size_bytes=300_000)
    package = open_package(LAYER_PACKAGE, io.BytesIO(write_zip([lie])))
    pieces = read_chunks(package.file, package.entries[0])
    unpacked_bytes = 0
    with pytest.raises(DamageError) as error:
        for piece in pieces:
            unpacked_bytes += len(piece)
    assert error.value.rule is Rule.WRONG_SIZE
    assert unpacked_bytes <= 300_000


@pytest.mark.parametrize("method", [STORED, DEFLATED])
@pytest.mark.parametrize("size_bytes", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES - 1])
def test_what_was_packed_is_unpacked(method: int, size_bytes: int) -> None:
    """Content of every size comes back whole, in pieces."""
    content = bytes(size_bytes)
    archive = io.BytesIO(write_zip([Item("data", content, method=method)]))
    package = open_package(LAYER_PACKAGE, archive)
    pieces = list(read_chunks(archive, package.entries[0]))
    assert b"".join(pieces) == content
    assert all(len(piece) <= CHUNK_BYTES for piece in pieces)


def test_every_rule_has_a_bundle_that_breaks_it() -> None:
    """A rule without a test that it works is no rule."""
    broken = {case.rule for case in BREAKS} | {rule for case in ELF_CASES for rule in case[3]}
    assert broken == set(Rule)


def test_rules_say_what_must_hold_and_what_to_do() -> None:
    """Whoever reads a finding learns what to do; ids are words, and no two are the same."""
    assert len({rule.id for rule in Rule}) == len(Rule)
    for rule in Rule:
        assert rule.promise.endswith(".") and rule.hint.endswith("."), rule
        assert rule.id == rule.id.lower() and "_" not in rule.id
