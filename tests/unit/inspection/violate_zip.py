"""Zips that are not as they must be, as a whole."""

from __future__ import annotations

from pipeline.runtimes import MAX_UNZIPPED_BYTES
from pipeline.config import LAYER_PACKAGE
from pipeline.inspection.rules import Rule
from tests.unit.inspection.violations import PYMONGO, breaks
from tests.unit.inspection.malicious_zip import (
    BZIP2,
    END,
    STORED,
    Draft,
    Item,
    write_overlapping_zip,
    write_zip,
)


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


@breaks(Rule.UNZIPPED_TOO_LARGE, LAYER_PACKAGE)
def packages_are_too_large_unzipped(draft: Draft) -> None:
    # What claims to be its content is none, so unpacking it would be a finding of its own.
    packed = bytes(MAX_UNZIPPED_BYTES // 100)
    draft.layer.append(Item("python/bson/data", packed=packed, size_bytes=MAX_UNZIPPED_BYTES))


def _with_end(items: list[Item], changes: dict[int, int]) -> bytes:
    """Return a zip of the items with fields of its end record changed, by their number."""
    archive = write_zip(items)
    fields = list(END.unpack(archive[-END.size :]))
    for number, value in changes.items():
        fields[number] = value
    return archive[: -END.size] + END.pack(*fields)
