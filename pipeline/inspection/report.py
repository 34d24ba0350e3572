"""The report of an inspection: facts and findings, in words for people and as JSON for machines."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pipeline import github
from pipeline.bundle.function_files import belongs
from pipeline.runtimes import MAX_UNZIPPED_BYTES
from pipeline.config import FUNCTION_FILE, FUNCTION_PACKAGE, ROOT, SOURCE
from pipeline.inspection.rules import Finding


@dataclass(frozen=True)
class PackageInfo:
    """How large a package is; `unzipped_bytes` is what the zip states."""

    name: str
    files: int
    size_bytes: int
    unzipped_bytes: int


@dataclass(frozen=True)
class BundleInfo:
    """What a bundle is, as far as it could be read.

    `runtime_deprecated` and `runtime_updates_blocked` are the days on which AWS does that to the
    runtime, such as 2029-06-30.
    """

    handler: str | None
    architecture: str | None
    runtime: str | None
    runtime_deprecated: str | None
    runtime_updates_blocked: str | None
    packages: tuple[PackageInfo, ...]

    @property
    def unzipped_bytes(self) -> int:
        return sum(package.unzipped_bytes for package in self.packages)


@dataclass(frozen=True)
class Report:
    """What an inspection found: facts, and findings in the order of their places.

    `allowed` are findings that function.toml allows, each with the reason that it gives.
    """

    bundle_id: str | None
    info: BundleInfo
    findings: tuple[Finding, ...]
    allowed: tuple[tuple[Finding, str], ...] = ()

    def rule_ids(self) -> list[str]:
        """Return the ids of the rules that are broken, each once."""
        return sorted({finding.rule.id for finding in self.findings})

    def as_json(self) -> dict[str, Any]:
        unzipped_bytes = self.info.unzipped_bytes
        return {
            "bundle": self.bundle_id,
            "clean": not self.findings,
            "facts": asdict(self.info)
            | {
                "unzipped_bytes": unzipped_bytes,
                "unzipped_limit_bytes": MAX_UNZIPPED_BYTES,
                "unzipped_limit_percent": percent(unzipped_bytes, MAX_UNZIPPED_BYTES),
            },
            "findings": [finding.as_json() for finding in self.findings],
            "allowed": [finding.as_json() | {"reason": why} for finding, why in self.allowed],
        }


def describe(finding: Finding) -> str:
    """Return the finding in one printable line: rule, place, and what is wrong there."""
    place = [finding.package, finding.path, finding.line and str(finding.line)]
    where = ":".join(printable(part) for part in place if part)
    return f"{finding.rule.id}  {where}  {printable(finding.message)}"


def github_annotations(report: Report) -> list[str]:
    """Return an annotation for each finding, at its place in our source if it has one."""
    annotations = []
    for finding in report.findings:
        file = _source_file(finding)
        text = f"{describe(finding)}. {finding.rule.hint}"
        line = finding.line if file else None
        annotations.append(github.annotation(text, file=file, line=line))
    return annotations


def _source_file(finding: Finding) -> str | None:
    """Return the file of this repository that the finding is about, if it is one."""
    if finding.package == FUNCTION_FILE.name:
        return FUNCTION_FILE.name
    if finding.package == FUNCTION_PACKAGE and finding.path and belongs(finding.path):
        return (SOURCE / finding.path).relative_to(ROOT).as_posix()
    return None


def printable(text: str) -> str:
    """Escape what a terminal or a log would obey instead of showing it."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def percent(size_bytes: int, limit_bytes: int) -> float:
    return round(100 * size_bytes / limit_bytes, 2)
