"""Entries of a zip that are not as they must be."""

from __future__ import annotations

import struct

from pipeline.config import FUNCTION_PACKAGE, LAYER_PACKAGE
from pipeline.inspection.rules import Rule
from tests.unit.inspection.violations import PYMONGO, breaks
from tests.unit.inspection.malicious_zip import (
    DESCRIPTOR,
    ENCRYPTED,
    HANDLER,
    STORED,
    Draft,
    Item,
    write_zip,
)


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


@breaks(Rule.UNEXPECTED_ENTRY, LAYER_PACKAGE, "share/data")
def layer_holds_what_nothing_looks_for(draft: Draft) -> None:
    draft.layer.append(Item("share/data", b"hello"))


@breaks(Rule.BYTECODE_IN_FUNCTION, FUNCTION_PACKAGE, "__pycache__/lambda_function.cpython-313.pyc")
def function_package_holds_a_cache(draft: Draft) -> None:
    draft.function.append(Item("__pycache__/lambda_function.cpython-313.pyc", b"pyc"))


@breaks(Rule.BYTECODE_IN_FUNCTION, FUNCTION_PACKAGE, "old.pyc")
def function_package_holds_bytecode(draft: Draft) -> None:
    draft.function.append(Item("old.pyc", b"pyc"))


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
