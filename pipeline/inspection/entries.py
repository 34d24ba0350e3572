"""Rules about entries that need no look at their content: names, kinds, modes, times, sizes."""

from __future__ import annotations

import datetime
import re
import stat
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from pipeline.bundle import bytecode
from pipeline.bundle.function_files import belongs
from pipeline.inspection.zip_reader import Entry, OpenedPackage
from pipeline.config import FUNCTION_PACKAGE, HANDLER_PATH
from pipeline.inspection.rules import Finding, Rule
from pipeline.runtimes import MAX_UNZIPPED_BYTES

# What of a layer the runtime looks into: "Packaging your layer content", Lambda developer guide.
_LAYER_FOLDERS = ("python/", "lib/", "bin/")

_MAX_PATH_BYTES, _MAX_NAME_BYTES = 4096, 255  # Linux's PATH_MAX and NAME_MAX
_EXTENDED_TIME, _NTFS_TIME, _UNICODE_PATH = 0x5455, 0x000A, 0x7075
_EPOCH_1980_S = 315_532_800
_NTFS_TO_UNIX_S = 11_644_473_600  # NTFS counts from 1601


def check_package(package: OpenedPackage) -> Iterator[Finding]:
    """Yield the findings about the entries of a package."""
    if package.is_readable:
        yield from _check_entries(package.name, package.entries)


def check_unzipped_size(packages: Sequence[OpenedPackage]) -> list[Finding]:
    """Return the finding about `packages` that unpack to too much together, on the largest."""
    total = sum(package.unzipped_bytes for package in packages)
    if total <= MAX_UNZIPPED_BYTES:
        return []
    largest = max(packages, key=lambda package: package.unzipped_bytes)
    message = (
        f"the bundle unpacks to {total:,} bytes, AWS takes {MAX_UNZIPPED_BYTES:,}; "
        "nothing was unpacked"
    )
    return [Finding(Rule.UNZIPPED_TOO_LARGE, largest.name, None, message)]


def is_safe(entry: Entry) -> bool:
    """Return whether the entry has one name, which stays inside the folder it unpacks to."""
    return _unsafe_path(entry) is None


def is_regular_file(entry: Entry) -> bool:
    """Return whether the entry is a file, and neither a folder nor a link or device."""
    return not entry.is_folder and _special_file(entry) is None


def _check_entries(package: str, entries: Sequence[Entry]) -> Iterator[Finding]:
    for entry in entries:
        for rule, check in _CHECKS:
            if message := check(entry):
                yield Finding(rule, package, entry.path, message)
    safe = [entry for entry in entries if is_safe(entry)]
    yield from _collisions(package, safe)
    yield from _missing(package, entries)
    yield from _misplaced(package, safe)


def _unsafe_path(entry: Entry) -> str | None:
    path = entry.path
    parts = path.removesuffix("/").split("/")
    problems = (
        (not path, "it has no name"),
        (not entry.name_is_clear, "its name is not valid in the encoding that it claims"),
        (path.startswith("/"), "its path is absolute"),
        ("\\" in path, "its path holds a backslash, which some programs take for a slash"),
        (re.match("[A-Za-z]:", path), "its path starts with a drive letter"),
        (".." in parts, "its path leads to a parent folder"),
        ("" in parts or "." in parts, "its path holds an empty part, or a dot alone"),
        (not path.isprintable(), "its path holds control or invisible characters"),
        (_is_too_long(path, parts), "its path is longer than Linux takes"),
        (_has_second_name(entry), "an extra field gives it a second name"),
    )
    return next((message for holds, message in problems if holds), None)


def _is_too_long(path: str, parts: Iterable[str]) -> bool:
    longest = max(len(part.encode()) for part in parts)
    return len(path.encode()) > _MAX_PATH_BYTES or longest > _MAX_NAME_BYTES


def _has_second_name(entry: Entry) -> bool:
    """Return whether an "Info-ZIP Unicode path" field names the entry other than its header."""
    names = (data[5:] for kind, data in _extra_fields(entry) if kind == _UNICODE_PATH)
    return any(name != entry.path.encode() for name in names)


def _special_file(entry: Entry) -> str | None:
    kind = stat.S_IFMT(_mode(entry))
    if entry.is_folder:
        if kind not in (0, stat.S_IFDIR):
            return "its name is a folder's and its mode is not"
        return "it is a folder and has content" if entry.size_bytes else None
    if kind in (0, stat.S_IFREG):
        return None
    names = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder without a slash"}
    return f"it is {names.get(kind, 'a device, pipe or socket')}"


def _unreadable_mode(entry: Entry) -> str | None:
    mode = _mode(entry)
    if not entry.made_by_unix and not mode:
        return None
    needed = stat.S_IROTH | (stat.S_IXOTH if entry.is_folder else 0)
    if mode & needed == needed:
        return None
    return f"its mode {stat.S_IMODE(mode):04o} does not let Lambda's user read it"


def _mode(entry: Entry) -> int:
    return entry.attributes >> 16


def _bad_time(entry: Entry) -> str | None:
    date, time = entry.dos_date, entry.dos_time
    year, month, day = 1980 + (date >> 9), date >> 5 & 15, date & 31
    hour, minute, second = time >> 11, time >> 5 & 63, (time & 31) * 2
    try:
        datetime.datetime(year, month, day, hour, minute, second)
    except ValueError:
        stated = f"{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
        return f"its time {stated} does not exist"
    for unix_time_s in _unix_times(entry):
        if unix_time_s < _EPOCH_1980_S:
            return f"an extra field puts it {_EPOCH_1980_S - unix_time_s:,} seconds before 1980"
    return None


def _unix_times(entry: Entry) -> Iterator[int]:
    """Yield the times of last change that extra fields give, in seconds since 1970."""
    for kind, data in _extra_fields(entry):
        if kind == _EXTENDED_TIME and len(data) >= 5 and data[0] & 1:
            yield struct.unpack_from("<i", data, 1)[0]
        elif kind == _NTFS_TIME and len(data) >= 16 and data[4:8] == b"\x01\x00\x18\x00":
            yield struct.unpack_from("<Q", data, 8)[0] // 10_000_000 - _NTFS_TO_UNIX_S


def _extra_fields(entry: Entry) -> Iterator[tuple[int, bytes]]:
    for extra in entry.extras:
        at = 0
        while at + 4 <= len(extra):
            kind, length = struct.unpack_from("<2H", extra, at)
            yield kind, extra[at + 4 : at + 4 + length]
            at += 4 + length


def _broken_extra(entry: Entry) -> str | None:
    for extra in entry.extras:
        at = 0
        while at + 4 <= len(extra):
            at += 4 + int.from_bytes(extra[at + 2 : at + 4], "little")
        if at != len(extra):
            return "its extra fields are broken"
    return None


def _collisions(package: str, entries: Sequence[Entry]) -> Iterator[Finding]:
    """Yield entries that unpack to the same place as another."""
    seen: set[str] = set()
    for entry in entries:
        path = entry.path.removesuffix("/")
        if path in seen:
            message = "another entry has the same name"
            yield Finding(Rule.DUPLICATE_ENTRY, package, entry.path, message)
        seen.add(path)
    # Sorted so that a path is followed at once by those of which it is the folder.
    ordered = sorted((entry.path for entry in entries), key=lambda path: path.replace("/", "\0"))
    for path, following in pairwise(ordered):
        if following.startswith(f"{path}/") and not path.endswith("/"):
            message = f"{path} is a file, so it cannot be the folder of this one"
            yield Finding(Rule.DUPLICATE_ENTRY, package, following, message)


def _missing(package: str, entries: Sequence[Entry]) -> Iterator[Finding]:
    if package == FUNCTION_PACKAGE:
        if all(entry.path != HANDLER_PATH for entry in entries):
            yield Finding(Rule.MISSING_ENTRY, package, None, f"{HANDLER_PATH} is not in it")
    elif all(entry.is_folder or not entry.path.startswith("python/") for entry in entries):
        yield Finding(Rule.MISSING_ENTRY, package, None, "there is no file in python/")


def _misplaced(package: str, entries: Sequence[Entry]) -> Iterator[Finding]:
    broken_rule = _in_function if package == FUNCTION_PACKAGE else _in_layer
    for entry in entries:
        rule = broken_rule(entry.path)
        if rule:
            yield Finding(rule, package, entry.path, f"this does not belong into {package}")


def _in_function(path: str) -> Rule | None:
    if belongs(path):
        return None
    is_bytecode = path.endswith(bytecode.SUFFIX) or "__pycache__" in path.split("/")
    return Rule.BYTECODE_IN_FUNCTION if is_bytecode else Rule.UNEXPECTED_ENTRY


def _in_layer(path: str) -> Rule | None:
    return None if path.startswith(_LAYER_FOLDERS) else Rule.UNEXPECTED_ENTRY


_CHECKS: tuple[tuple[Rule, Callable[[Entry], str | None]], ...] = (
    (Rule.UNSAFE_PATH, _unsafe_path),
    (Rule.DAMAGED_ENTRY, _broken_extra),
    (Rule.SPECIAL_FILE, _special_file),
    (Rule.UNREADABLE_MODE, _unreadable_mode),
    (Rule.BAD_TIME, _bad_time),
)
