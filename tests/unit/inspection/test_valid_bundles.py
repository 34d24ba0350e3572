"""What is sound passes, however it was made; all that is not is reported at once."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config import FUNCTION_PACKAGE, LAYER_PACKAGE
from tests.unit.inspection.violations import PYMONGO, found
from tests.unit.inspection.malicious_zip import (
    DESCRIPTOR,
    HANDLER,
    STORED,
    Draft,
    Item,
    compiled,
    sound,
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
def layer_is_larger_than_a_direct_upload(draft: Draft) -> None:
    draft.layer.append(Item("python/bson/data", bytes(51 << 20), method=STORED))


@passes
def data_packs_very_well(draft: Draft) -> None:
    draft.layer.append(Item("python/bson/zeros", bytes(20_000_000)))


@passes
def names_differ_only_in_case_or_normal_form(draft: Draft) -> None:
    names = ("Data", "data", "\xe9", "e\u0301")
    draft.layer += [Item(f"python/bson/{name}") for name in names]


@passes
def layer_has_programs_and_libraries(draft: Draft) -> None:
    draft.layer += [Item("bin/run", b"#!/bin/sh\n", mode=0o100755), Item("lib/data")]


@passes
def layer_holds_what_nothing_imports(draft: Draft) -> None:
    draft.layer.append(Item("python/six.py", b"import nowhere\n"))


@passes
def layer_holds_source_for_another_python(draft: Draft) -> None:
    draft.layer.append(Item("python/bson/old.py", b"print 'hello'\n"))


@passes
def layer_holds_modules_of_a_megabyte(draft: Draft) -> None:
    draft.layer.append(Item("python/bson/data.py", b"#" * (1 << 20), method=STORED))
    draft.layer.append(Item("python/bson/more.pyc", compiled(b"import os\n") + bytes(1 << 20)))


@passes
def layer_documents_itself_with_credentials(draft: Draft) -> None:
    draft.layer.append(Item("python/bson/a.py", b"'''postgresql://scott:" + b"tiger@db/'''\n"))
    key = b"-----BEGIN " + b"PRIVATE KEY-----\n" + b"aB3d" * 20
    draft.layer.append(Item("python/bson/b.py", b"KEY = '''" + key + b"'''\n"))


@passes
def bytecode_beside_its_source_may_be_anyones(draft: Draft) -> None:
    draft.layer.append(Item("python/bson/a.py", b"import os\n"))
    draft.layer.append(Item("python/bson/a.pyc", b"nothing"))
    draft.layer.append(Item("python/bson/__pycache__/b.cpython-312.pyc", b"nothing"))


@passes
def bytecode_has_the_time_of_its_source(draft: Draft) -> None:
    content = compiled(b"import os\n")
    draft.layer.append(Item("python/bson/a.pyc", content[:4] + bytes(4) + content[8:]))


@passes
def handler_imports_what_may_be_missing(draft: Draft) -> None:
    draft.item(HANDLER).content += (
        b"from typing import TYPE_CHECKING\nimport sys\n"
        b"if TYPE_CHECKING:\n    from mypy_boto3_s3 import S3Client\n"
        b"try:\n    import orjson\nexcept ImportError:\n    orjson = None\n"
        b"if sys.version_info < (3, 11):\n    import tomli\n"
        b"import snapshot_restore_py\n"
    )


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
    """Three problems are reported at once, in the order of their places."""
    draft = sound()
    draft.item(HANDLER).mode = 0o100600
    draft.item(HANDLER).content += b"import requests\n"
    draft.item(PYMONGO).dos_date = 0
    assert found(draft.write(tmp_path / "b")) == [
        ("unreadable-mode", FUNCTION_PACKAGE, HANDLER, None),
        ("import-not-provided", FUNCTION_PACKAGE, HANDLER, 6),
        ("bad-time", LAYER_PACKAGE, PYMONGO, None),
    ]
