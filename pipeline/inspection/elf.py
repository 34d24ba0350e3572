"""Read what a shared object needs of the machine it is loaded on."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from elftools.elf.elffile import ELFFile

ELF_MARK = b"\x7fELF"

# An ordinary shared object takes some 600 reads. A hostile one could state billions of sections or
# versions, each of which pyelftools would go and read.
_MAX_READS = 50_000

_GLIBC = re.compile(r"GLIBC_(\d{1,4})\.(\d{1,4})(?:\.\d+)?")


@dataclass(frozen=True)
class SharedObject:
    """The machine (ELF's name for it) and the newest glibc, as (major, minor), that it is for.

    `is_lp64` says that it is 64-bit and little-endian, as all that Lambda runs is.
    """

    machine: str
    is_lp64: bool
    glibc: tuple[int, int] | None


def read_shared_object(content: bytes) -> SharedObject:
    """Read the ELF file whose bytes are `content`; raise ValueError if it is no whole one."""
    if not content.startswith(ELF_MARK):
        raise ValueError("it is no ELF file")
    try:
        elf = ELFFile(_MeteredFile(content))
        if elf["e_type"] not in ("ET_DYN", "ET_EXEC"):
            raise ValueError(f"it is nothing that can be loaded ({elf['e_type']})")
        _check_whole(elf, len(content))
        glibc = max(_needed_glibc(elf), default=None)
        is_lp64 = elf.elfclass == 64 and elf.little_endian
        return SharedObject(str(elf["e_machine"]), is_lp64, glibc)
    except ValueError:
        raise
    except Exception as error:
        # pyelftools trusts its input: a broken file shows up as almost any exception.
        raise ValueError(f"it is a broken ELF file ({type(error).__name__})") from error


def _check_whole(elf: ELFFile, size_bytes: int) -> None:
    sections_end = elf["e_shoff"] + elf["e_shnum"] * elf["e_shentsize"]
    segments_end = max((s["p_offset"] + s["p_filesz"] for s in elf.iter_segments()), default=0)
    end = max(sections_end, segments_end)
    if end > size_bytes:
        raise ValueError(f"it is cut off: {size_bytes:,} bytes of {end:,}")


def _needed_glibc(elf: ELFFile) -> Iterator[tuple[int, int]]:
    needs = elf.get_section_by_name(".gnu.version_r")
    if needs is None:
        return
    for _library, versions in needs.iter_versions():
        for version in versions:
            if match := _GLIBC.fullmatch(version.name):
                yield int(match[1]), int(match[2])


class _MeteredFile(io.BytesIO):
    """A file that can be read so often and no more."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._reads_left = _MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads_left -= 1
        if self._reads_left < 0:
            raise ValueError("it is no sound ELF file: reading it does not come to an end")
        return super().read(size)
