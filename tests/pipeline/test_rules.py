"""Every rule of the inspection: a bundle that breaks just that one is reported for just that."""

from __future__ import annotations

import datetime
import io
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.code_rules import MAX_SOURCE_BYTES
from pipeline.entry_rules import MAX_PACKAGE_BYTES, MAX_UNZIPPED_BYTES, check_unzipped_size
from pipeline.inspection import inspect_bundle
from pipeline.packages import CHUNK_BYTES, DamageError, open_package
from pipeline.project import FUNCTION_PACKAGE, LAYER_PACKAGE, MANIFEST
from pipeline.rules import Rule
from pipeline.unpacking import read_chunks
from tests.pipeline.hostile import (
    BZIP2,
    DEFLATED,
    DESCRIPTOR,
    ENCRYPTED,
    END,
    HANDLER,
    STORED,
    Draft,
    Item,
    manifest_text,
    sound,
    write_overlapping_zip,
    write_zip,
)

TODAY = datetime.date(2026, 11, 23)
PYMONGO = "python/pymongo/__init__.py"
EXTENSION = "python/pymongo/_c.cpython-313-x86_64-linux-gnu.so"


@dataclass
class Break:
    """A way to break `rule`, and where that is to be reported."""

    rule: Rule
    package: str
    path: str | None
    apply: Callable[[Draft], None]
    line: int | None = None
    today: datetime.date = TODAY


BREAKS: list[Break] = []


def breaks(
    rule: Rule,
    package: str,
    path: str | None = None,
    line: int | None = None,
    today: datetime.date = TODAY,
) -> Callable[[Callable[[Draft], None]], Callable[[Draft], None]]:
    """Register a function that breaks `rule` in a sound draft."""

    def register(function: Callable[[Draft], None]) -> Callable[[Draft], None]:
        BREAKS.append(Break(rule, package, path, function, line, today))
        return function

    return register


# The manifest, and what it says.


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_is_no_json(draft: Draft) -> None:
    draft.manifest_text = b"{"


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_is_no_text(draft: Draft) -> None:
    draft.manifest_text = b"\xff\xfe"


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_is_nested_too_deep(draft: Draft) -> None:
    draft.manifest_text = b"[" * 200_000


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_has_another_member(draft: Draft) -> None:
    draft.values = {"extra": 1}


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_has_a_number_for_a_name(draft: Draft) -> None:
    draft.values = {"handler": 1}


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_has_a_digest_that_is_none(draft: Draft) -> None:
    draft.values = {"layer_lock_sha256": "f" * 63}


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_names_a_file_twice(draft: Draft) -> None:
    content = draft.content()
    content["layer"]["files"].append(content["layer"]["files"][0])
    draft.manifest_text = manifest_text(content)


@breaks(Rule.MANIFEST_MALFORMED, MANIFEST)
def manifest_calls_a_package_differently(draft: Draft) -> None:
    content = draft.content()
    content["layer"]["name"] = "../layer.zip"
    draft.manifest_text = manifest_text(content)


@breaks(Rule.MANIFEST_SCHEMA, MANIFEST)
def manifest_has_an_unknown_schema(draft: Draft) -> None:
    draft.values = {"schema": 2}


@breaks(Rule.MANIFEST_ID, MANIFEST)
def manifest_has_the_id_of_another(draft: Draft) -> None:
    draft.manifest_text = manifest_text(draft.content(), bundle_id="0" * 64)


@breaks(Rule.MANIFEST_BASE64, MANIFEST)
def manifest_has_two_digests_of_one_package(draft: Draft) -> None:
    content = draft.content()
    content["layer"]["sha256_base64"] = content["function"]["sha256_base64"]
    draft.manifest_text = manifest_text(content)


@breaks(Rule.MANIFEST_PACKAGE_SIZE, LAYER_PACKAGE)
def manifest_has_another_size_of_a_package(draft: Draft) -> None:
    content = draft.content()
    content["layer"]["size_bytes"] += 1
    draft.manifest_text = manifest_text(content)


@breaks(Rule.MANIFEST_PACKAGE_DIGEST, FUNCTION_PACKAGE)
def package_has_changed_since(draft: Draft) -> None:
    draft.manifest_text = manifest_text(draft.content())
    draft.item(HANDLER).dos_time = 1


@breaks(Rule.MANIFEST_FILE_LIST, LAYER_PACKAGE, PYMONGO)
def manifest_leaves_a_file_out(draft: Draft) -> None:
    content = draft.content()
    content["layer"]["files"] = content["layer"]["files"][:1]
    draft.manifest_text = manifest_text(content)


@breaks(Rule.MANIFEST_FILE_LIST, LAYER_PACKAGE, "python/bson/gone.py")
def manifest_names_a_file_that_is_not_there(draft: Draft) -> None:
    content = draft.content()
    gone = {"path": "python/bson/gone.py", "size_bytes": 0, "sha256": "0" * 64}
    content["layer"]["files"].append(gone)
    draft.manifest_text = manifest_text(content)


@breaks(Rule.MANIFEST_FILE_CONTENT, FUNCTION_PACKAGE, HANDLER)
def manifest_has_another_digest_of_a_file(draft: Draft) -> None:
    content = draft.content()
    content["function"]["files"][0]["sha256"] = "0" * 64
    draft.manifest_text = manifest_text(content)


@breaks(Rule.MANIFEST_FILE_CONTENT, FUNCTION_PACKAGE, HANDLER)
def manifest_has_another_size_of_a_file(draft: Draft) -> None:
    content = draft.content()
    content["function"]["files"][0]["size_bytes"] += 1
    draft.manifest_text = manifest_text(content)


@breaks(Rule.HANDLER_MALFORMED, MANIFEST)
def handler_is_no_name(draft: Draft) -> None:
    draft.values = {"handler": "lambda_function."}


@breaks(Rule.UNKNOWN_ARCHITECTURE, MANIFEST)
def architecture_is_unknown(draft: Draft) -> None:
    draft.values = {"architecture": "sparc"}


@breaks(Rule.UNKNOWN_RUNTIME, MANIFEST)
def runtime_is_unknown(draft: Draft) -> None:
    draft.values = {"runtime": "python3.99"}


@breaks(Rule.RUNTIME_DEPRECATED, MANIFEST, today=datetime.date(2029, 1, 1))
def runtime_is_deprecated_in_180_days(draft: Draft) -> None:
    draft.values = {"runtime": "python3.13"}


@breaks(Rule.RUNTIME_DEPRECATED, MANIFEST, today=datetime.date(2029, 8, 30))
def runtime_is_deprecated_already(draft: Draft) -> None:
    draft.values = {"runtime": "python3.13"}


@breaks(Rule.RUNTIME_BLOCKED, MANIFEST, today=datetime.date(2026, 9, 30))
def runtime_takes_no_updates(draft: Draft) -> None:
    draft.values = {"runtime": "python3.9"}


@breaks(Rule.MISSING_PACKAGE, LAYER_PACKAGE)
def layer_is_not_there(draft: Draft) -> None:
    draft.missing = {LAYER_PACKAGE}


# The zip as a whole.


@breaks(Rule.NOT_A_ZIP, LAYER_PACKAGE)
def package_is_no_zip(draft: Draft) -> None:
    draft.layer_zip = b"hello\n"


@breaks(Rule.NOT_A_ZIP, LAYER_PACKAGE)
def package_is_empty(draft: Draft) -> None:
    draft.layer_zip = b""


@breaks(Rule.NOT_A_ZIP, LAYER_PACKAGE)
def zip_is_cut_off(draft: Draft) -> None:
    draft.layer_zip = write_zip(draft.layer)[:-1]


@breaks(Rule.DAMAGED_ZIP, LAYER_PACKAGE)
def zip_states_more_entries_than_it_has(draft: Draft) -> None:
    draft.layer_zip = _with_end(draft.layer, {3: 3, 4: 3})


@breaks(Rule.DAMAGED_ZIP, LAYER_PACKAGE)
def directory_is_broken(draft: Draft) -> None:
    draft.layer_zip = write_zip(draft.layer).replace(b"PK\x01\x02", b"PK\x01\x03")


@breaks(Rule.DAMAGED_ZIP, LAYER_PACKAGE)
def directory_is_cut_off(draft: Draft) -> None:
    archive = bytearray(write_zip(draft.layer))
    comment_length_at = archive.rindex(b"PK\x01\x02") + 32
    archive[comment_length_at] = 1
    draft.layer_zip = bytes(archive)


@breaks(Rule.DAMAGED_ZIP, LAYER_PACKAGE)
def directory_is_larger_than_the_file(draft: Draft) -> None:
    draft.layer_zip = _with_end(draft.layer, {5: 1 << 20})


@breaks(Rule.STRAY_BYTES, LAYER_PACKAGE)
def bytes_before_the_zip(draft: Draft) -> None:
    draft.layer_zip = b"#!/bin/sh\n" + write_zip(draft.layer)


@breaks(Rule.STRAY_BYTES, LAYER_PACKAGE)
def bytes_after_the_zip(draft: Draft) -> None:
    draft.layer_zip = write_zip(draft.layer) + b"\0"


@breaks(Rule.STRAY_BYTES, LAYER_PACKAGE)
def comment_at_the_end(draft: Draft) -> None:
    draft.layer_zip = _with_end(draft.layer, {7: 5}) + b"hello"


@breaks(Rule.STRAY_BYTES, LAYER_PACKAGE, PYMONGO)
def bytes_between_entries(draft: Draft) -> None:
    draft.item(PYMONGO).before = b"hidden"


@breaks(Rule.STRAY_BYTES, LAYER_PACKAGE)
def bytes_between_entries_and_directory(draft: Draft) -> None:
    archive = write_zip(draft.layer)
    at = archive.index(b"PK\x01\x02")
    fields = list(END.unpack(archive[-END.size :]))
    fields[6] += 6
    draft.layer_zip = archive[:at] + b"hidden" + archive[at : -END.size] + END.pack(*fields)


@breaks(Rule.STRAY_BYTES, LAYER_PACKAGE)
def bytes_between_directory_and_end(draft: Draft) -> None:
    archive = write_zip(draft.layer)
    draft.layer_zip = archive[: -END.size] + b"hidden" + archive[-END.size :]


@breaks(Rule.OVERLAPPING_ENTRIES, LAYER_PACKAGE, "python/bson/inner.py")
def entry_within_an_entry(draft: Draft) -> None:
    inner = Item("python/bson/inner.py", b"pass\n")
    outer = Item("python/bson/outer.bin", inner.local_record(), method=STORED)
    draft.layer_zip = write_overlapping_zip(draft.layer.copy(), outer, inner)
    draft.layer += [outer, inner]


@breaks(Rule.UNSUPPORTED_ZIP_FEATURE, LAYER_PACKAGE)
def zip_has_two_volumes(draft: Draft) -> None:
    draft.layer_zip = _with_end(draft.layer, {1: 1, 2: 1})


@breaks(Rule.UNSUPPORTED_ZIP_FEATURE, LAYER_PACKAGE)
def zip_is_zip64(draft: Draft) -> None:
    draft.layer_zip = _with_end(draft.layer, {3: 0xFFFF, 4: 0xFFFF})


@breaks(Rule.UNSUPPORTED_ZIP_FEATURE, LAYER_PACKAGE, PYMONGO)
def entry_is_packed_by_bzip2(draft: Draft) -> None:
    draft.item(PYMONGO).method = BZIP2


@breaks(Rule.PACKAGE_TOO_LARGE, LAYER_PACKAGE)
def package_is_larger_than_an_upload(draft: Draft) -> None:
    draft.layer.append(Item("python/bson/data", bytes(MAX_PACKAGE_BYTES), method=STORED))


@breaks(Rule.UNZIPPED_TOO_LARGE, LAYER_PACKAGE)
def packages_are_too_large_unzipped(draft: Draft) -> None:
    # What claims to be its content is none, so unpacking it would be a finding of its own.
    packed = bytes(MAX_UNZIPPED_BYTES // 100)
    draft.layer.append(Item("python/bson/data", packed=packed, size_bytes=MAX_UNZIPPED_BYTES))


# Entries.


@breaks(Rule.ENCRYPTED_ENTRY, LAYER_PACKAGE, PYMONGO)
def entry_is_encrypted(draft: Draft) -> None:
    draft.item(PYMONGO).flags |= ENCRYPTED


@breaks(Rule.DAMAGED_ENTRY, LAYER_PACKAGE, PYMONGO)
def header_has_another_name_than_the_directory(draft: Draft) -> None:
    draft.item(PYMONGO).local_path = PYMONGO.encode().replace(b"pymongo", b"pymong0")


@breaks(Rule.DAMAGED_ENTRY, LAYER_PACKAGE, PYMONGO)
def header_has_another_size_than_the_directory(draft: Draft) -> None:
    draft.item(PYMONGO).local_size_bytes = 1


@breaks(Rule.DAMAGED_ENTRY, LAYER_PACKAGE, PYMONGO)
def descriptor_has_another_size_than_the_directory(draft: Draft) -> None:
    draft.item(PYMONGO).flags |= DESCRIPTOR
    draft.item(PYMONGO).local_size_bytes = 1


@breaks(Rule.DAMAGED_ENTRY, LAYER_PACKAGE, PYMONGO)
def content_reaches_beyond_the_end(draft: Draft) -> None:
    draft.item(PYMONGO).flags |= DESCRIPTOR
    archive = bytearray(write_zip(draft.layer))
    packed_size_at = archive.rindex(b"PK\x01\x02") + 20
    archive[packed_size_at : packed_size_at + 4] = struct.pack("<I", len(archive))
    draft.layer_zip = bytes(archive)


@breaks(Rule.DAMAGED_ENTRY, LAYER_PACKAGE, "python/bson/__init__.py")
def header_is_missing(draft: Draft) -> None:
    draft.layer_zip = write_zip(draft.layer).replace(b"PK\x03\x04", b"PK\x03\x05", 1)


@breaks(Rule.DAMAGED_ENTRY, LAYER_PACKAGE, PYMONGO)
def deflated_data_is_broken(draft: Draft) -> None:
    draft.item(PYMONGO).packed = b"\xff" * 20


@breaks(Rule.DAMAGED_ENTRY, LAYER_PACKAGE, PYMONGO)
def deflated_data_is_cut_off(draft: Draft) -> None:
    draft.item(PYMONGO).packed = draft.item(PYMONGO).packed_content()[:-4]


@breaks(Rule.DAMAGED_ENTRY, LAYER_PACKAGE, PYMONGO)
def bytes_follow_the_deflated_data(draft: Draft) -> None:
    draft.item(PYMONGO).packed = draft.item(PYMONGO).packed_content() + b"hidden"


@breaks(Rule.DAMAGED_ENTRY, LAYER_PACKAGE, PYMONGO)
def extra_field_is_cut_off(draft: Draft) -> None:
    draft.item(PYMONGO).extra = struct.pack("<2H", 0x5455, 9)


@breaks(Rule.WRONG_SIZE, LAYER_PACKAGE, "python/bson/data")
def entry_unpacks_to_more_than_it_states(draft: Draft) -> None:
    data = Item("python/bson/data", bytes(50_000_000))
    draft.layer.append(Item(data.path, packed=data.packed_content(), size_bytes=1000))


@breaks(Rule.WRONG_SIZE, LAYER_PACKAGE, PYMONGO)
def entry_unpacks_to_less_than_it_states(draft: Draft) -> None:
    draft.item(PYMONGO).size_bytes = 1000


@breaks(Rule.WRONG_SIZE, LAYER_PACKAGE, PYMONGO)
def stored_entry_has_another_size_than_it_states(draft: Draft) -> None:
    draft.item(PYMONGO).method = STORED
    draft.item(PYMONGO).size_bytes = 1000


@breaks(Rule.BAD_CRC, LAYER_PACKAGE, PYMONGO)
def content_has_another_checksum(draft: Draft) -> None:
    draft.item(PYMONGO).crc = 1


@breaks(Rule.BAD_CRC, LAYER_PACKAGE, PYMONGO)
def header_has_another_checksum_than_the_directory(draft: Draft) -> None:
    draft.item(PYMONGO).local_crc = 1


@breaks(Rule.COMPRESSION_BOMB, LAYER_PACKAGE, "python/bson/zeros")
def zeros_pack_too_well(draft: Draft) -> None:
    draft.layer.append(Item("python/bson/zeros", bytes(20_000_000)))


@breaks(Rule.COMPRESSION_BOMB, LAYER_PACKAGE, "python/bson/zeros")
def bomb_is_not_unpacked(draft: Draft) -> None:
    # What claims to be its content is none, so unpacking it would be a finding of its own.
    draft.layer.append(Item("python/bson/zeros", packed=bytes(1000), size_bytes=200_000_000))


@breaks(Rule.MISSING_ENTRY, FUNCTION_PACKAGE)
def function_package_is_empty(draft: Draft) -> None:
    draft.function = []


@breaks(Rule.MISSING_ENTRY, LAYER_PACKAGE)
def layer_is_empty(draft: Draft) -> None:
    draft.layer = []
    draft.item(HANDLER).content = b"def lambda_handler(event, context): pass\n"


@breaks(Rule.UNEXPECTED_ENTRY, FUNCTION_PACKAGE, "README.md")
def function_package_holds_another_file(draft: Draft) -> None:
    draft.function.append(Item("README.md", b"hello"))


@breaks(Rule.UNEXPECTED_ENTRY, FUNCTION_PACKAGE, "pymongo/")
def function_package_holds_a_folder(draft: Draft) -> None:
    draft.function.append(Item("pymongo/", mode=0o40755))


@breaks(Rule.UNEXPECTED_ENTRY, LAYER_PACKAGE, "bin/run")
def layer_holds_more_than_python(draft: Draft) -> None:
    draft.layer.append(Item("bin/run", b"hello"))


@breaks(Rule.BYTECODE_IN_FUNCTION, FUNCTION_PACKAGE, "__pycache__/lambda_function.cpython-313.pyc")
def function_package_holds_a_cache(draft: Draft) -> None:
    draft.function.append(Item("__pycache__/lambda_function.cpython-313.pyc", b"pyc"))


@breaks(Rule.BYTECODE_IN_FUNCTION, FUNCTION_PACKAGE, "old.pyc")
def function_package_holds_bytecode(draft: Draft) -> None:
    draft.function.append(Item("old.pyc", b"pyc"))


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


@breaks(Rule.UNSAFE_PATH, LAYER_PACKAGE, "python/bson/\\xe9.txt")
def name_is_in_an_unknown_encoding(draft: Draft) -> None:
    draft.layer.append(Item(b"python/bson/\xe9.txt", flags=0))


@breaks(Rule.UNSAFE_PATH, LAYER_PACKAGE, "python/bson/data")
def extra_field_gives_a_second_name(draft: Draft) -> None:
    other = struct.pack("<BI", 1, 0) + b"../evil.py"
    extra = struct.pack("<2H", 0x7075, len(other)) + other
    draft.layer.append(Item("python/bson/data", extra=extra))


@breaks(Rule.SPECIAL_FILE, LAYER_PACKAGE, "python/bson/link.py")
def entry_is_a_symbolic_link(draft: Draft) -> None:
    # What it holds is where it leads, and no source.
    draft.layer.append(Item("python/bson/link.py", b"/etc/passwd", mode=0o120777))


@breaks(Rule.SPECIAL_FILE, LAYER_PACKAGE, "python/bson/link")
def entry_is_a_symbolic_link_made_by_dos(draft: Draft) -> None:
    draft.layer.append(Item("python/bson/link", b"/etc/passwd", mode=0o120777, made_by=0))


@breaks(Rule.SPECIAL_FILE, LAYER_PACKAGE, "python/bson/pipe")
def entry_is_a_pipe(draft: Draft) -> None:
    draft.layer.append(Item("python/bson/pipe", mode=0o10644))


@breaks(Rule.SPECIAL_FILE, LAYER_PACKAGE, "python/bson/folder/")
def folder_has_content(draft: Draft) -> None:
    draft.layer.append(Item("python/bson/folder/", b"hidden", mode=0o40755))


@breaks(Rule.SPECIAL_FILE, LAYER_PACKAGE, "python/bson/folder/")
def folder_is_marked_as_a_file(draft: Draft) -> None:
    draft.layer.append(Item("python/bson/folder/", mode=0o100755))


@breaks(Rule.DUPLICATE_ENTRY, LAYER_PACKAGE, PYMONGO)
def name_occurs_twice(draft: Draft) -> None:
    draft.layer.append(draft.item(PYMONGO))


@breaks(Rule.DUPLICATE_ENTRY, LAYER_PACKAGE, f"{PYMONGO}/more.txt")
def file_is_a_folder_too(draft: Draft) -> None:
    draft.layer.append(Item(f"{PYMONGO}/more.txt"))


@breaks(Rule.CASE_COLLISION, LAYER_PACKAGE, "python/pymongo/__INIT__.py")
def names_differ_in_case(draft: Draft) -> None:
    draft.layer.append(Item("python/pymongo/__INIT__.py"))


@breaks(Rule.CASE_COLLISION, LAYER_PACKAGE, "python/pymongo/e\u0301.txt")
def names_differ_in_normal_form(draft: Draft) -> None:
    draft.layer += [Item("python/pymongo/\xe9.txt"), Item("python/pymongo/e\u0301.txt")]


@breaks(Rule.UNREADABLE_MODE, FUNCTION_PACKAGE, HANDLER)
def file_is_its_owners_alone(draft: Draft) -> None:
    draft.item(HANDLER).mode = 0o100600


@breaks(Rule.UNREADABLE_MODE, FUNCTION_PACKAGE, HANDLER)
def file_has_no_mode(draft: Draft) -> None:
    draft.item(HANDLER).mode = 0


@breaks(Rule.UNREADABLE_MODE, LAYER_PACKAGE, "python/")
def folder_cannot_be_entered(draft: Draft) -> None:
    draft.layer.append(Item("python/", mode=0o40744))


@breaks(Rule.BAD_TIME, LAYER_PACKAGE, PYMONGO)
def date_is_zero(draft: Draft) -> None:
    draft.item(PYMONGO).dos_date = 0


@breaks(Rule.BAD_TIME, LAYER_PACKAGE, PYMONGO)
def date_is_the_30th_of_february(draft: Draft) -> None:
    draft.item(PYMONGO).dos_date = 46 << 9 | 2 << 5 | 30


@breaks(Rule.BAD_TIME, LAYER_PACKAGE, PYMONGO)
def time_is_24_o_clock(draft: Draft) -> None:
    draft.item(PYMONGO).dos_time = 24 << 11


@breaks(Rule.BAD_TIME, LAYER_PACKAGE, PYMONGO)
def extended_time_is_in_1970(draft: Draft) -> None:
    draft.item(PYMONGO).extra = struct.pack("<2HBi", 0x5455, 5, 1, 0)


@breaks(Rule.BAD_TIME, LAYER_PACKAGE, PYMONGO)
def extended_time_in_the_local_header_is_in_1979(draft: Draft) -> None:
    draft.item(PYMONGO).local_extra = struct.pack("<2HBi", 0x5455, 5, 1, 315_532_799)


@breaks(Rule.BAD_TIME, LAYER_PACKAGE, PYMONGO)
def ntfs_time_is_in_1601(draft: Draft) -> None:
    draft.item(PYMONGO).extra = struct.pack("<2HI2H3Q", 0x0A, 32, 0, 1, 24, 0, 0, 0)


# Contents.


@breaks(Rule.CREDENTIAL, FUNCTION_PACKAGE, HANDLER, line=6)
def handler_holds_a_password(draft: Draft) -> None:
    draft.item(HANDLER).content += b"URI = 'mongodb+srv://app:" + b"hunter2@db.example.net/'\n"


@breaks(Rule.CREDENTIAL, LAYER_PACKAGE, "python/pymongo/key.txt", line=2)
def layer_holds_a_token(draft: Draft) -> None:
    draft.layer.append(Item("python/pymongo/key.txt", b"\n" + b"ghp_" + b"a1B2" * 9))


@breaks(Rule.DOES_NOT_COMPILE, FUNCTION_PACKAGE, HANDLER, line=6)
def handler_has_a_syntax_error(draft: Draft) -> None:
    draft.item(HANDLER).content += b"def broken(:\n"


@breaks(Rule.DOES_NOT_COMPILE, FUNCTION_PACKAGE, HANDLER, line=6)
def handler_returns_outside_of_a_function(draft: Draft) -> None:
    draft.item(HANDLER).content += b"return 1\n"


@breaks(Rule.DOES_NOT_COMPILE, FUNCTION_PACKAGE, HANDLER, line=6)
def handler_is_newer_than_the_runtime(draft: Draft) -> None:
    draft.values = {"runtime": "python3.11"}
    draft.item(HANDLER).content += b"type Name = str\n"


@breaks(Rule.DOES_NOT_COMPILE, FUNCTION_PACKAGE, HANDLER)
def handler_is_no_text(draft: Draft) -> None:
    draft.item(HANDLER).content += b"# \xff\n"


@breaks(Rule.DOES_NOT_COMPILE, FUNCTION_PACKAGE, HANDLER)
def handler_is_nested_too_deep(draft: Draft) -> None:
    draft.item(HANDLER).content += b"-" * 50_000 + b"1\n"


@breaks(Rule.DOES_NOT_COMPILE, LAYER_PACKAGE, PYMONGO, line=1)
def layer_has_a_syntax_error(draft: Draft) -> None:
    # It would import bson, which is therefore not said to be of no use.
    draft.item(PYMONGO).content = b"import bson, (\n"


@breaks(Rule.SOURCE_TOO_LARGE, LAYER_PACKAGE, PYMONGO)
def source_is_too_large(draft: Draft) -> None:
    draft.item(PYMONGO).content = b"import bson\n" + b"#" * MAX_SOURCE_BYTES
    draft.item(PYMONGO).method = STORED


@breaks(Rule.HANDLER_NOT_DEFINED, FUNCTION_PACKAGE, HANDLER)
def handler_is_not_defined(draft: Draft) -> None:
    draft.values = {"handler": "lambda_function.main"}


@breaks(Rule.HANDLER_NOT_DEFINED, FUNCTION_PACKAGE, HANDLER)
def handler_is_defined_within_a_function(draft: Draft) -> None:
    source = b"import pymongo\ndef make():\n    def lambda_handler(event, context): pass\n"
    draft.item(HANDLER).content = source


@breaks(Rule.HANDLER_NOT_DEFINED, FUNCTION_PACKAGE, HANDLER)
def handler_is_in_another_file(draft: Draft) -> None:
    draft.values = {"handler": "main.lambda_handler"}


@breaks(Rule.IMPORT_NOT_PROVIDED, FUNCTION_PACKAGE, HANDLER, line=7)
def handler_imports_what_nobody_provides(draft: Draft) -> None:
    draft.item(HANDLER).content += b"def late():\n    import requests.adapters\n"


@breaks(Rule.UNUSED_LAYER_PACKAGE, LAYER_PACKAGE, "python/six")
def layer_holds_a_module_that_nobody_imports(draft: Draft) -> None:
    draft.layer.append(Item("python/six.py", b"import pymongo\n"))


@breaks(Rule.INVALID_ELF, LAYER_PACKAGE, EXTENSION)
def shared_object_is_text(draft: Draft) -> None:
    draft.layer.append(Item(EXTENSION, b"hello"))


@breaks(Rule.INVALID_ELF, LAYER_PACKAGE, EXTENSION)
def shared_object_is_empty(draft: Draft) -> None:
    draft.layer.append(Item(EXTENSION, b"", method=STORED))


@breaks(Rule.INVALID_ELF, LAYER_PACKAGE, "python/pymongo/data")
def elf_file_is_only_a_mark(draft: Draft) -> None:
    draft.layer.append(Item("python/pymongo/data", b"\x7fELF"))


@breaks(Rule.WRONG_ARCHITECTURE, LAYER_PACKAGE, "python/pymongo/_c.cp313-win_amd64.pyd")
def extension_is_for_windows(draft: Draft) -> None:
    draft.layer.append(Item("python/pymongo/_c.cp313-win_amd64.pyd", b"MZ"))


@pytest.fixture(scope="session")
def shared_object(built_bundle: Path) -> bytes:
    """An extension module of the real layer."""
    with zipfile.ZipFile(built_bundle / LAYER_PACKAGE) as layer:
        name = next(name for name in layer.namelist() if name.endswith(".so"))
        return layer.read(name)


def _for_arm(elf: bytes) -> bytes:
    return elf[:18] + struct.pack("<H", 183) + elf[20:]


def _for_i386(_: bytes) -> bytes:
    """Return the header of a shared object that has nothing in it."""
    identity = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    return identity + struct.pack("<2H5I6H", 3, 3, 1, 0, 0, 0, 0, 52, 32, 0, 40, 0, 0)


def _cut_off_without_sections(elf: bytes) -> bytes:
    """Return the start of a file without a table of sections, which loading does not need."""
    header = bytearray(elf[: len(elf) // 10])
    header[40:48] = bytes(8)
    header[58:64] = bytes(6)
    return bytes(header)


def _needing(elf: bytes, version: bytes) -> bytes:
    assert b"GLIBC_2.14\0" in elf
    return elf.replace(b"GLIBC_2.14\0", version + b"\0")


ELF_CASES: list[tuple[str, str, Callable[[bytes], bytes], list[Rule]]] = [
    ("as it is", "_c.cpython-313-x86_64-linux-gnu.so", lambda elf: elf, []),
    ("stable interface", "_c.abi3.so", lambda elf: elf, []),
    ("library", "libc.so.6.1", lambda elf: elf, []),
    ("arm64", "_c.so", _for_arm, [Rule.WRONG_ARCHITECTURE]),
    ("i386", "_c.so", _for_i386, [Rule.WRONG_ARCHITECTURE]),
    ("says it is 32-bit", "_c.so", lambda elf: elf[:4] + b"\1" + elf[5:], [Rule.INVALID_ELF]),
    ("musl", "_c.cpython-313-x86_64-linux-musl.so", lambda elf: elf, [Rule.WRONG_ARCHITECTURE]),
    ("older Python", "_c.cpython-312-x86_64-linux-gnu.so", lambda elf: elf, [Rule.WRONG_PYTHON]),
    ("no GIL", "_c.cpython-313t-x86_64-linux-gnu.so", lambda elf: elf, [Rule.WRONG_PYTHON]),
    ("PyPy", "_c.pypy310-pp73-x86_64-linux-gnu.so", lambda elf: elf, [Rule.WRONG_PYTHON]),
    ("glibc 2.34", "_c.so", lambda elf: _needing(elf, b"GLIBC_2.34"), []),
    ("glibc 2.35", "_c.so", lambda elf: _needing(elf, b"GLIBC_2.35"), [Rule.GLIBC_TOO_NEW]),
    ("half of it", "_c.so", lambda elf: elf[: len(elf) // 2], [Rule.INVALID_ELF]),
    ("a tenth of it, stripped", "_c.so", _cut_off_without_sections, [Rule.INVALID_ELF]),
    ("compiled only", "_c.so", lambda elf: elf[:16] + b"\1\0" + elf[18:], [Rule.INVALID_ELF]),
    ("its last byte gone", "_c.so", lambda elf: elf[:-1], [Rule.INVALID_ELF]),
]


@pytest.mark.parametrize(
    ("name", "change", "rules"), [case[1:] for case in ELF_CASES], ids=[c[0] for c in ELF_CASES]
)
def test_shared_objects_must_fit_the_runtime(
    tmp_path: Path,
    shared_object: bytes,
    name: str,
    change: Callable[[bytes], bytes],
    rules: list[Rule],
) -> None:
    """What cannot be loaded on the function's machine, Python and glibc is found beforehand."""
    draft = sound()
    draft.layer.append(Item(f"python/pymongo/{name}", change(shared_object), method=STORED))
    expected = [(rule.id, LAYER_PACKAGE, f"python/pymongo/{name}", None) for rule in rules]
    assert _found(draft.write(tmp_path / "b")) == expected


@pytest.mark.parametrize("case", BREAKS, ids=lambda case: case.apply.__name__)
def test_a_broken_rule_is_reported_and_no_other(tmp_path: Path, case: Break) -> None:
    """One thing wrong is one finding: that rule, in that package, at that entry and line."""
    draft = sound()
    case.apply(draft)
    assert _found(draft.write(tmp_path / "b"), case.today) == [
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
        assert rule.promise.endswith(".") and rule.todo.endswith("."), rule
        assert rule.id == rule.id.lower() and "_" not in rule.id


VARIANTS: list[Callable[[Draft], None]] = []


def passes(change: Callable[[Draft], None]) -> Callable[[Draft], None]:
    """Register a change of a sound draft that leaves it sound."""
    VARIANTS.append(change)
    return change


@passes
def nothing_is_changed(_: Draft) -> None:
    pass


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
    assert _found(draft.write(tmp_path / "b")) == []


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
    assert _found(draft.write(tmp_path / "b")) == []


def test_all_findings_are_listed_not_just_the_first(tmp_path: Path) -> None:
    """Whoever has three things to mend learns of them at once, in the order of their places."""
    draft = sound()
    draft.item(HANDLER).mode = 0o100600
    draft.item(HANDLER).content += b"import requests\n"
    draft.item(PYMONGO).dos_date = 0
    assert _found(draft.write(tmp_path / "b")) == [
        ("unreadable-mode", FUNCTION_PACKAGE, HANDLER, None),
        ("import-not-provided", FUNCTION_PACKAGE, HANDLER, 6),
        ("bad-time", LAYER_PACKAGE, PYMONGO, None),
    ]


def _with_end(items: list[Item], changes: dict[int, int]) -> bytes:
    """Return a zip of the items with fields of its end record changed, by their number."""
    archive = write_zip(items)
    fields = list(END.unpack(archive[-END.size :]))
    for number, value in changes.items():
        fields[number] = value
    return archive[: -END.size] + END.pack(*fields)


def _found(
    folder: Path, today: datetime.date = TODAY
) -> list[tuple[str, str, str | None, int | None]]:
    report = inspect_bundle(folder, today)
    return [(f.rule.id, f.package, f.path, f.line) for f in report.findings]
