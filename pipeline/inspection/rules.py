"""The rules that a bundle must keep: a stable id, what must hold, what to do if it does not.

To add a rule: name it here, look for it in the module of its subject (`manifest`, `zip_reader`,
`entries`, `code`, `native`), and break it in the tests/unit/inspection/violate_*.py of its kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import Any, Self

_REBUILD = "Build the bundle again with `python -m pipeline build`; do not deploy this one."
_WRITER = "Write the zip with `python -m pipeline build`, which cannot make this."
_LOCK = (
    "Correct layer/requirements.in, run `make lock ONLY=layer/requirements`, and build again. "
    "`architecture` and `runtime` in function.toml say what it is built for."
)


@unique
class Rule(Enum):
    """One rule. Its id is its name in kebab-case; its value is what must hold, and what to do."""

    MANIFEST_MALFORMED = "manifest.json is JSON of the shape that build writes.", _REBUILD
    MANIFEST_SCHEMA = (
        "The manifest's schema is one that this program knows.",
        "Use the release of this repository that built the bundle.",
    )
    MANIFEST_ID = "The bundle's id is the sha256 of the manifest's content.", _REBUILD
    MANIFEST_BASE64 = "Each sha256_base64 is the package's sha256 in base64.", _REBUILD
    MANIFEST_PACKAGE_SIZE = "Each package has the size that the manifest names.", _REBUILD
    MANIFEST_PACKAGE_DIGEST = "Each package has the sha256 that the manifest names.", _REBUILD
    MANIFEST_FILE_LIST = "The manifest names exactly the files in each package.", _REBUILD
    MANIFEST_FILE_CONTENT = "Each file has the size and sha256 that the manifest names.", _REBUILD
    HANDLER_MALFORMED = (
        "The handler is written module.function, or package.module.function.",
        "Correct `handler` in function.toml, and build again.",
    )
    UNKNOWN_ARCHITECTURE = (
        "The architecture is one that Lambda has.",
        "Set `architecture` in function.toml to x86_64 or arm64, and build again.",
    )
    UNKNOWN_RUNTIME = (
        "The runtime is a Python runtime of Lambda that this program knows.",
        "Correct `runtime` in function.toml; add a new runtime to pipeline/runtimes.py.",
    )
    RUNTIME_DEPRECATED = (
        "AWS does not deprecate the runtime within 180 days.",
        "Move to a newer runtime: `runtime` in function.toml.",
    )
    RUNTIME_BLOCKED = (
        "AWS still lets functions on this runtime be updated.",
        "Move to a newer runtime: `runtime` in function.toml.",
    )
    MISSING_PACKAGE = "Both packages are there and can be read.", _REBUILD

    NOT_A_ZIP = "Each package is a zip archive.", _REBUILD
    DAMAGED_ZIP = "The zip's directory is whole, and says of itself what is true.", _REBUILD
    STRAY_BYTES = "Every byte of the zip belongs to an entry or to its directory.", _WRITER
    OVERLAPPING_ENTRIES = "No two entries share bytes of the zip.", _WRITER
    UNSUPPORTED_ZIP_FEATURE = (
        "The zip is a plain one: one volume, no zip64, entries stored or deflated.",
        _WRITER,
    )
    ENCRYPTED_ENTRY = "No entry is encrypted.", "Write the zip without a password."
    DAMAGED_ENTRY = "Each entry's header and content are whole and agree.", _REBUILD
    WRONG_SIZE = "Each entry unpacks to exactly the size that the zip states.", _REBUILD
    BAD_CRC = "Each entry's content has the checksum that the zip states.", _REBUILD
    UNZIPPED_TOO_LARGE = (
        "Both packages together are at most 250 MB (262,144,000 bytes) unzipped.",
        "Leave out what is not needed at run time.",
    )

    MISSING_ENTRY = "Each package holds what it is for.", _REBUILD
    UNEXPECTED_ENTRY = (
        "The function's zip holds what function.toml names; the layer only python/, lib/, bin/.",
        "Name the file in `files` of function.toml, or leave it out.",
    )
    BYTECODE_IN_FUNCTION = (
        "The function's zip holds no __pycache__ and no .pyc files.",
        "Leave them out; Python makes its own.",
    )
    UNUSABLE_BYTECODE = (
        "Bytecode in the layer that stands alone, without its source, is the runtime's.",
        _REBUILD,
    )
    UNSAFE_PATH = "Each entry has one name, which stays inside the folder it unpacks to.", _WRITER
    SPECIAL_FILE = "Each entry is a regular file or a folder.", "Replace it by a regular file."
    DUPLICATE_ENTRY = "No two entries unpack to the same place.", _WRITER
    UNREADABLE_MODE = (
        "Lambda's user may read every file (o+r) and enter every folder (o+rx).",
        "Give files mode 644 and folders 755 before packing them.",
    )
    BAD_TIME = (
        "Each entry's time is a real one, in 1980 or later.",
        "Set the file's modification time to 1980-01-01 or later before packing it.",
    )
    CREDENTIAL = (
        "Nothing in a package looks like a credential.",
        "Take it out, revoke it where it was issued, and keep the new one in Parameter Store. If "
        "it is none, say why under [[allow]] in function.toml.",
    )

    DOES_NOT_COMPILE = "The function's source compiles for the runtime.", "Correct the source."
    HANDLER_NOT_DEFINED = (
        "The handler is defined at the top level of its file (def, assignment or import).",
        "Define it there, or correct `handler` in function.toml.",
    )
    IMPORT_NOT_PROVIDED = (
        "The standard library, the runtime, the layer or the function itself has what it imports.",
        "A module of this repository: name its file in `files` of function.toml. A package: add it "
        "to layer/requirements.in, run `make lock ONLY=layer/requirements`, and build again. If "
        "the function works without it, import it within try … except ImportError.",
    )
    INVALID_ELF = "Each shared object is a whole ELF file.", _LOCK
    WRONG_ARCHITECTURE = (
        "Each package with shared objects has some for Linux on the function's architecture.",
        _LOCK,
    )
    WRONG_PYTHON = "Each package with extension modules has some for the runtime's Python.", _LOCK
    GLIBC_TOO_NEW = "Shared objects need no newer glibc than the runtime has.", _LOCK
    LIBRARY_NOT_PROVIDED = (
        "The runtime, the layer's lib/ or the package itself has each library that is needed.",
        "Lock another package that brings its libraries (opencv-python-headless in place of "
        "opencv-python), or put the library into the layer's lib/.",
    )

    @property
    def id(self) -> str:
        return self.name.lower().replace("_", "-")

    @property
    def promise(self) -> str:
        return self.value[0]

    @property
    def hint(self) -> str:
        return self.value[1]


@dataclass(frozen=True)
class Finding:
    """One way in which a bundle breaks a rule.

    `package` is a file of the bundle, or function.toml, `path` an entry in it and `line` a line
    there (from 1), where the finding is about one. What a package says of itself (names, values) is
    quoted as it is: whoever prints it makes it printable.
    """

    rule: Rule
    package: str
    path: str | None
    message: str
    line: int | None = None

    @classmethod
    def of_credential(cls, package: str, path: str | None, kind: str, line: int) -> Self:
        """Return the finding about what looks like a kind of credential."""
        message = f"it holds what looks like a credential: {kind}"
        return cls(Rule.CREDENTIAL, package, path, message, line)

    def as_json(self) -> dict[str, Any]:
        return {
            "rule": self.rule.id,
            "package": self.package,
            "path": self.path,
            "line": self.line,
            "message": self.message,
            "hint": self.rule.hint,
        }
