"""AWS Lambda's Python runtimes: what each runs on, and until when."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

_NOTICE_DAYS = 180


@dataclass(frozen=True)
class System:
    """An operating system: its glibc (major, minor), and its shared libraries if they are known."""

    glibc: tuple[int, int]
    libraries: frozenset[str] | None = None


@dataclass(frozen=True)
class Runtime:
    """A runtime: its Python (major, minor) and that one's magic number, its operating system, and
    the days on which AWS deprecates it and stops to accept updates of functions that use it."""

    python: tuple[int, int]
    magic: int
    system: System
    deprecated: datetime.date
    updates_blocked: datetime.date

    @property
    def glibc(self) -> tuple[int, int]:
        """Version (major, minor) of the C library."""
        return self.system.glibc

    @property
    def libraries(self) -> frozenset[str] | None:
        """Names of the shared libraries that code can rely on; None if they are not known."""
        if self.system.libraries is None:
            return None
        python = "libpython{}.{}.so.1.0".format(*self.python)
        return self.system.libraries | {python, "libpython3.so"}


# Without python3.14: the version of Terraform's AWS provider that is locked refuses it.
# Sources: AWS Lambda developer guide, "Lambda runtimes"
# (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html), and the copy of its table
# that cfn-lint 1.58.0 carries (cfnlint/data/AdditionalSpecs/LmbdRuntimeLifecycle.json).
# The magic numbers of bytecode: CPython's Include/internal/pycore_magic_number.h.
# Up to python3.11 they run on Amazon Linux 2, then on Amazon Linux 2023. The libraries are those of
# the packages that `rpm -qa` lists in AWS's image public.ecr.aws/lambda/python:3.12
# (https://github.com/amazonlinux/amazon-linux-2023/issues/585), which is what the managed runtime
# is made of ("Using AL2023 in AWS Lambda"). There is no libGL, no libgomp and no libexpat.
_AL2 = System((2, 26))
_AL2023 = System(
    (2, 34),
    frozenset(
        {
            # glibc
            *("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "libc.so.6", "libm.so.6"),
            *("libmvec.so.1", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1"),
            *("libresolv.so.2", "libanl.so.1"),
            # libgcc, libstdc++, and what packs
            *("libgcc_s.so.1", "libstdc++.so.6", "libz.so.1", "libbz2.so.1", "liblzma.so.5"),
            *("libzstd.so.1", "liblz4.so.1", "libarchive.so.13"),
            # cryptography, and the network
            *("libcrypto.so.3", "libssl.so.3", "libcrypt.so.2", "libgcrypt.so.20"),
            *("libcurl.so.4", "libnghttp2.so.14", "libidn2.so.0", "libpsl.so.5"),
            *("libkrb5.so.3", "libgssapi_krb5.so.2", "libk5crypto.so.3", "libcom_err.so.2"),
            "libkeyutils.so.1",
            # the rest
            *("libffi.so.8", "libsqlite3.so.0", "libxml2.so.2", "libyaml-0.so.2", "libuuid.so.1"),
            *("libglib-2.0.so.0", "libgobject-2.0.so.0", "libgio-2.0.so.0"),
            *("libgmodule-2.0.so.0", "libgthread-2.0.so.0", "libpcre2-8.so.0", "libgmp.so.10"),
            *("libmpfr.so.6", "libmagic.so.1", "libreadline.so.8", "libncursesw.so.6"),
            *("libncurses.so.6", "libtinfo.so.6", "libacl.so.1", "libattr.so.1", "libcap.so.2"),
            *("libselinux.so.1", "libblkid.so.1", "libmount.so.1"),
        }
    ),
)
_DAY = datetime.date


RUNTIMES = {
    "python3.9": Runtime((3, 9), 3425, _AL2, _DAY(2025, 12, 15), _DAY(2026, 9, 30)),
    "python3.10": Runtime((3, 10), 3439, _AL2, _DAY(2026, 10, 31), _DAY(2027, 3, 3)),
    "python3.11": Runtime((3, 11), 3495, _AL2, _DAY(2027, 6, 30), _DAY(2027, 8, 31)),
    "python3.12": Runtime((3, 12), 3531, _AL2023, _DAY(2028, 10, 31), _DAY(2029, 1, 10)),
    "python3.13": Runtime((3, 13), 3571, _AL2023, _DAY(2029, 6, 30), _DAY(2029, 8, 31)),
}


# Of function and layers together, unzipped: 250 MB in "Lambda quotas", AWS Lambda developer guide,
# counted in MiB. Its 50 MB for a zip are those of a direct upload; packages go by way of S3.
MAX_UNZIPPED_BYTES = 250 << 20

# Lambda's name of an architecture: ELF's number of the machine (EM_X86_64, EM_AARCH64), and the
# platform as the file names of Python's extension modules have it.
MACHINES = {
    "x86_64": (62, "x86_64-linux-gnu"),
    "arm64": (183, "aarch64-linux-gnu"),
}


def updates_are_blocked(name: str, today: datetime.date) -> bool:
    """Return whether AWS refuses, as of `today` (a UTC date), to update functions on a runtime.

    Of a runtime that is not known here, that is not known.
    """
    runtime = RUNTIMES.get(name)
    return runtime is not None and today >= runtime.updates_blocked
