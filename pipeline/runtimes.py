"""AWS Lambda's Python runtimes: what each runs on, and until when."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

_NOTICE_DAYS = 180


@dataclass(frozen=True)
class Runtime:
    """A runtime: its Python (major, minor) and that one's magic number, its glibc (major, minor),
    and the days on which AWS deprecates it and stops to accept updates of functions that use it."""

    python: tuple[int, int]
    magic: int
    glibc: tuple[int, int]
    deprecated: datetime.date
    updates_blocked: datetime.date


# Without python3.14: the version of Terraform's AWS provider that is locked refuses it.
# Sources: AWS Lambda developer guide, "Lambda runtimes"
# (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html), and the copy of its table
# that cfn-lint 1.58.0 carries (cfnlint/data/AdditionalSpecs/LmbdRuntimeLifecycle.json).
# The magic numbers of bytecode: CPython's Include/internal/pycore_magic_number.h.
# Up to python3.11 they run on Amazon Linux 2 (glibc 2.26), then on Amazon Linux 2023 (2.34).
_AL2, _AL2023 = (2, 26), (2, 34)


_DAY = datetime.date


RUNTIMES = {
    "python3.9": Runtime((3, 9), 3425, _AL2, _DAY(2025, 12, 15), _DAY(2026, 9, 30)),
    "python3.10": Runtime((3, 10), 3439, _AL2, _DAY(2026, 10, 31), _DAY(2027, 3, 3)),
    "python3.11": Runtime((3, 11), 3495, _AL2, _DAY(2027, 6, 30), _DAY(2027, 8, 31)),
    "python3.12": Runtime((3, 12), 3531, _AL2023, _DAY(2028, 10, 31), _DAY(2029, 1, 10)),
    "python3.13": Runtime((3, 13), 3571, _AL2023, _DAY(2029, 6, 30), _DAY(2029, 8, 31)),
}


# Lambda's name of an architecture: the machine as ELF files name it, and the platform as the file
# names of Python's extension modules do.
MACHINES = {
    "x86_64": ("EM_X86_64", "x86_64-linux-gnu"),
    "arm64": ("EM_AARCH64", "aarch64-linux-gnu"),
}


def updates_are_blocked(name: str, today: datetime.date) -> bool:
    """Say whether AWS refuses, as of `today` (a UTC date), to update functions on a runtime.

    Of a runtime that is not known here, that is not known.
    """
    runtime = RUNTIMES.get(name)
    return runtime is not None and today >= runtime.updates_blocked
