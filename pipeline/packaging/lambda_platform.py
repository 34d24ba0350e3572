"""The platform that the layer is for: Lambda's, as pip names it."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config import ARCHITECTURE, RUNTIME
from pipeline.errors import UsageError
from pipeline.runtimes import RUNTIMES

PYTHON = RUNTIME.removeprefix("python")
MACHINE = {"x86_64": "x86_64", "arm64": "aarch64"}[ARCHITECTURE]
# Where Python is in Lambda's runtimes.
INTERPRETER = f"/var/lang/bin/{RUNTIME}"

# Names of platforms from before each was called by its glibc: PEP 600, "Legacy manylinux tags".
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


def pip_options() -> list[str]:
    """Return the options that let pip choose the wheels that it would choose on Lambda.

    Raises UsageError if the runtime's glibc is not known.
    """
    if RUNTIME not in RUNTIMES:
        raise UsageError(
            f"function.toml: unknown runtime {RUNTIME!r}",
            f"Known runtimes: {', '.join(RUNTIMES)}.",
        )
    options = ["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON]
    for tag in _tags(RUNTIMES[RUNTIME].glibc[1]):
        options += ["--platform", f"{tag}_{MACHINE}"]
    return options


def _tags(glibc_minor: int) -> Iterator[str]:
    """Yield what glibc 2.`glibc_minor` can run, the newest first."""
    for minor in range(glibc_minor, 4, -1):
        yield f"manylinux_2_{minor}"
        if minor in _LEGACY:
            yield _LEGACY[minor]
    yield "linux"
