"""inspect: whatever is damaged in a bundle, it reports it, soon and in little memory."""

from __future__ import annotations

import datetime
import json
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from pipeline.inspection import inspector
from pipeline.inspection.elf import read_shared_object
from pipeline.config import FUNCTION_PACKAGE, LAYER_PACKAGE, MANIFEST
from pipeline.inspection.rules import Rule
from tests.unit.inspection.elf_files import shared_object
from tests.unit.inspection.malicious_zip import STORED, Item, sound

TODAY = datetime.date(2026, 11, 23)


@pytest.mark.parametrize("name", [FUNCTION_PACKAGE, LAYER_PACKAGE])
def test_no_damaged_zip_makes_it_fail(tmp_path: Path, name: str) -> None:
    """Whatever bytes of a package are changed, cut or repeated, it reports and does not crash."""
    chance = random.Random(1)
    draft = sound()
    draft.layer.append(Item("python/pymongo/data", b"stored", method=STORED, extra=b"\1\0\0\0"))
    sound_zip = draft.zips()[name]
    for _ in range(300):
        # The manifest fits, so that nothing but the zip itself gives it away.
        damaged = _damage(sound_zip, chance)
        if name == FUNCTION_PACKAGE:
            draft.function_zip = damaged
        else:
            draft.layer_zip = damaged
        inspector.inspect_bundle(draft.write(tmp_path / "b"), TODAY)


def test_no_damaged_manifest_makes_it_fail(tmp_path: Path) -> None:
    """Whatever is changed in a manifest is a finding, and no crash."""
    chance = random.Random(2)
    folder = sound().write(tmp_path / "b")
    text = (folder / MANIFEST).read_bytes()
    document = json.loads(text)
    values: list[Any] = [None, True, -1, 10**400, 1.5, "", "\ud800", [], {}, [[]], "f" * 64]
    for key in document["content"]:
        for value in values:
            changed = document | {"content": document["content"] | {key: value}}
            (folder / MANIFEST).write_text(json.dumps(changed))
            assert inspector.inspect_bundle(folder, TODAY).findings, (key, value)
    for _ in range(300):
        damaged = _damage(text, chance)
        (folder / MANIFEST).write_bytes(damaged)
        report = inspector.inspect_bundle(folder, TODAY)
        assert report.findings or _bundle(damaged) == _bundle(text), damaged


def test_a_manifest_without_an_end_is_not_read_to_it(tmp_path: Path) -> None:
    """A manifest of any size is refused at a limit."""
    folder = sound().write(tmp_path / "b")
    with (folder / MANIFEST).open("wb") as file:
        file.truncate(10_000_000_000)  # sparse: it takes no space on the disk
    (finding,) = inspector.inspect_bundle(folder, TODAY).findings
    assert finding.rule is Rule.MANIFEST_MALFORMED
    assert "over 33,554,432 bytes" in finding.message


def test_no_damaged_shared_object_makes_it_fail() -> None:
    """A broken ELF file is read or reported as broken, and neither takes long."""
    chance = random.Random(3)
    content = shared_object(["liba.so", "libc.so.6"], path="$ORIGIN")
    for _ in range(20_000):
        damaged = bytearray(content)
        for _ in range(chance.randrange(1, 8)):
            # What it begins with stays: without it nothing is read.
            at = chance.randrange(6, len(damaged))
            damaged[at] = chance.choice([0, 0xFF, chance.randrange(256)])
        try:
            read_shared_object(bytes(damaged))
        except ValueError:
            pass


def test_memory_stays_flat_however_large_a_file_is(tmp_path: Path) -> None:
    """A layer is read piece by piece: 40 MB of it need no 40 MB."""
    draft = sound()
    draft.layer.append(Item("python/pymongo/data", b"0123456789abcde\n" * 2_500_000, method=STORED))
    folder = draft.write(tmp_path / "b")
    tracemalloc.start()
    try:
        report = inspector.inspect_bundle(folder, TODAY)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.findings == ()
    assert peak_bytes < 5_000_000


def _damage(data: bytes, chance: random.Random) -> bytes:
    """Return `data` with bytes changed, cut out, repeated or added."""
    damaged = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(damaged))
        length = chance.randrange(1, 30)
        match chance.randrange(4):
            case 0:
                damaged[at] = chance.choice([0, 1, 0x7F, 0xFF, chance.randrange(256)])
            case 1:
                del damaged[at : at + length]
            case 2:
                damaged[at:at] = damaged[at : at + length]
            case 3:
                damaged[at : at + length] = chance.randbytes(length)
        damaged = damaged or bytearray(b"\0")
    return bytes(damaged)


def _bundle(manifest: bytes) -> Any:
    """Return what a manifest says of its bundle, without what it was built from."""
    document = json.loads(manifest)
    return document["id"], document["content"]
