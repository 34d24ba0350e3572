"""What is sound passes, however it was made; all that is not is reported at once."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.inspection.entries import MAX_PACKAGE_BYTES
from pipeline.config import FUNCTION_PACKAGE, LAYER_PACKAGE
from tests.unit.inspection.breaking import PYMONGO, found
from tests.unit.inspection.hostile import (
    DESCRIPTOR,
    HANDLER,
    STORED,
    Draft,
    Item,
    compiled,
    sound,
    write_zip,
)

VARIANTS: list[Callable[[Draft], None]] = []


def passes(change: Callable[[Draft], None]) -> Callable[[Draft], None]:
    """Register a change of a sound draft that leaves it sound."""
    VARIANTS.append(change)
    return change


@passes
def nothing_is_changed(_: Draft) -> None:
    pass


@passes
def there_is_no_layer(draft: Draft) -> None:
    draft.item(HANDLER).content = (
        b"import json\n\n\ndef lambda_handler(event, context):\n    pass\n"
    )
    draft.leave_the_layer_out()


@passes
def layer_has_folders(draft: Draft) -> None:
    draft.layer.insert(0, Item("python/", mode=0o40755))


@passes
def file_has_no_mode_because_dos_has_none(draft: Draft) -> None:
    draft.item(HANDLER).made_by = 0
    draft.item(HANDLER).mode = 0


@passes
def sizes_follow_the_content(draft: Draft) -> None:
    draft.item(PYMONGO).flags |= DESCRIPTOR


@passes
def extended_time_is_in_1980(draft: Draft) -> None:
    draft.item(PYMONGO).extra = struct.pack("<2HBi", 0x5455, 5, 1, 315_532_800)


@passes
def extra_field_is_empty(draft: Draft) -> None:
    draft.item(PYMONGO).extra = struct.pack("<2H", 0xCAFE, 0)


@passes
def handler_is_imported(draft: Draft) -> None:
    draft.item(HANDLER).content = b"from pymongo import main as lambda_handler\n"


@passes
def handler_is_assigned_in_a_try(draft: Draft) -> None:
    draft.item(HANDLER).content = (
        b"import pymongo\ntry:\n    lambda_handler = pymongo.main\nfinally:\n    pass\n"
    )


@passes
def handler_imports_what_python_and_the_runtime_have(draft: Draft) -> None:
    draft.item(HANDLER).content += b"import asyncio, boto3\nimport lambda_function\n"


@passes
def source_makes_python_warn(draft: Draft) -> None:
    draft.item(PYMONGO).content += b"A = '\\d'\nB = 1 is 1\n"


@passes
def source_is_in_latin_1_or_starts_with_a_mark(draft: Draft) -> None:
    draft.layer.append(Item("python/bson/a.py", b"# coding: latin-1\nNAME = '\xe9'\n"))
    draft.layer.append(Item("python/bson/b.py", b"\xef\xbb\xbfimport os\n"))


@passes
def layer_holds_bytecode_that_leads_to_more(draft: Draft) -> None:
    draft.layer.append(Item("python/pymongo/late.pyc", compiled(b"def f():\n    import six\n")))
    draft.layer.append(Item("python/six.py", b""))


@passes
def runtime_is_older(draft: Draft) -> None:
    draft.values = {"runtime": "python3.12"}


@passes
def architecture_is_the_other(draft: Draft) -> None:
    draft.values = {"architecture": "arm64"}


@passes
def sizes_are_exactly_the_limits(draft: Draft) -> None:
    data = Item("python/bson/data", method=STORED)
    rest = len(write_zip([*draft.layer, data]))
    data.content = bytes(MAX_PACKAGE_BYTES - rest)
    draft.layer.append(data)


@pytest.mark.parametrize("change", VARIANTS, ids=lambda change: change.__name__)
def test_what_is_sound_passes(tmp_path: Path, change: Callable[[Draft], None]) -> None:
    """What differs from our own bundles without being wrong is not reported."""
    draft = sound()
    change(draft)
    assert found(draft.write(tmp_path / "b")) == []


def test_zips_by_python_pass(tmp_path: Path) -> None:
    """A zip by another writer, with folders and the usual modes, is as good as ours."""
    draft = sound()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zip_file:
        zip_file.mkdir("python")
        for item in draft.layer:
            info = zipfile.ZipInfo(str(item.path), (2026, 11, 23, 12, 30, 58))
            info.external_attr = 0o644 << 16
            zip_file.writestr(info, item.content, zipfile.ZIP_DEFLATED)
    draft.layer_zip = archive.getvalue()
    assert found(draft.write(tmp_path / "b")) == []


def test_all_findings_are_listed_not_just_the_first(tmp_path: Path) -> None:
    """Whoever has three things to mend learns of them at once, in the order of their places."""
    draft = sound()
    draft.item(HANDLER).mode = 0o100600
    draft.item(HANDLER).content += b"import requests\n"
    draft.item(PYMONGO).dos_date = 0
    assert found(draft.write(tmp_path / "b")) == [
        ("unreadable-mode", FUNCTION_PACKAGE, HANDLER, None),
        ("import-not-provided", FUNCTION_PACKAGE, HANDLER, 6),
        ("bad-time", LAYER_PACKAGE, PYMONGO, None),
    ]
