"""Open a bundle as untrusted input, and report every rule that it violates."""

from __future__ import annotations

import datetime
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from pipeline import runtimes
from pipeline.bundle.manifest import Bundle, Manifest
from pipeline.config import ALLOWED, FUNCTION_FILE, FUNCTION_PACKAGE, LAYER_PACKAGE, MANIFEST
from pipeline.errors import BundleError, InspectionError, UsageError
from pipeline.inspection import code, entries, manifest as manifest_rules, native, report
from pipeline.inspection.code import Target
from pipeline.inspection.contents import Contents, imported_without_guard, read_contents
from pipeline.inspection.report import BundleInfo, PackageInfo, Report
from pipeline.inspection.rules import Finding, Rule
from pipeline.inspection.zip_reader import OpenedPackage, open_package
from pipeline.secret_scan import CredentialScanner


def require_clean(bundle: Bundle) -> None:
    """Raise InspectionError with the findings, if `bundle` has any today."""
    found = inspect_loaded(bundle)
    refuse_findings(found, "\n".join(map(report.describe, found.findings)))


def inspect_loaded(bundle: Bundle) -> Report:
    """Inspect a bundle that is in memory, as of today."""
    files = {package.name: io.BytesIO(archive) for package, archive in bundle.zips()}
    return inspect_packages(bundle.manifest.to_text().encode(), files, today())


def inspect_bundle(folder: Path, today: datetime.date) -> Report:
    """Inspect the bundle in `folder` as of `today` (a UTC date).

    Raises BundleError if there is no manifest to be read; all else that is wrong is a finding.
    """
    with ExitStack() as stack:

        def opened(name: str) -> BinaryIO | None:
            try:
                # Anything but a regular file could be without end.
                path = folder / name
                return stack.enter_context(path.open("rb")) if path.is_file() else None
            except OSError:
                return None

        manifest = opened(MANIFEST)
        if manifest is None:
            raise BundleError(
                f"{folder} has no bundle: {MANIFEST} cannot be read",
                "Build a bundle, or use another folder.",
                command=f"python -m pipeline build --out {folder}",
            )
        # A read of more than there is would still take the memory for it.
        size_bytes = manifest.seek(0, os.SEEK_END)
        manifest.seek(0)
        text = manifest.read(min(size_bytes, manifest_rules.MAX_MANIFEST_BYTES + 1))
        files = {name: opened(name) for name in (FUNCTION_PACKAGE, LAYER_PACKAGE)}
        return inspect_packages(text, files, today)


def inspect_packages(
    manifest_text: bytes, files: Mapping[str, BinaryIO | None], today: datetime.date
) -> Report:
    """Inspect a bundle: the text of its manifest, and the (seekable) file of each package by name.

    None stands for a package that is not there. A layer that the manifest does not have is no
    part of the bundle. `today` is a UTC date.
    """
    manifest, findings = manifest_rules.read_manifest(manifest_text)
    if manifest and not manifest.layer:
        files = {name: file for name, file in files.items() if name != LAYER_PACKAGE}
    packages = [open_package(name, file) for name, file in files.items() if file is not None]
    for name in files.keys() - {package.name for package in packages}:
        message = "it is not there, or cannot be read"
        findings.append(Finding(Rule.MISSING_PACKAGE, name, None, message))
    for package in packages:
        findings += package.findings
        findings += entries.check_package(package)
    over_budget = entries.check_unzipped_size(packages)
    findings += over_budget
    target = _target(manifest)
    # What is too large is not unpacked.
    to_read = [] if over_budget else packages
    contents = {package.name: read_contents(package, target) for package in to_read}
    for content in contents.values():
        findings += content.findings
    if manifest:
        findings += manifest_rules.check_runtime(manifest.runtime, today, MANIFEST)
        for package in packages:
            findings += _check_against(manifest, package, contents)
    # What a package that cannot be read would provide is not known.
    if contents.keys() == files.keys() and all(package.is_readable for package in packages):
        modules = set().union(*(content.modules for content in contents.values()))
        findings += code.check_provided(contents[FUNCTION_PACKAGE].required, modules)
        findings += _check_libraries(packages, contents, target)
    findings += _check_function_file()
    left, allowed = _sort_out(sorted(findings, key=_place))
    return Report(manifest.id if manifest else None, _context(manifest, packages), left, allowed)


def _check_function_file() -> list[Finding]:
    """Return the findings about what function.toml holds: bodies of calls, for one."""
    scanner = CredentialScanner(third_party=False)
    scanner.feed(FUNCTION_FILE.read_bytes())
    return [
        Finding.of_credential(FUNCTION_FILE.name, None, kind, line)
        for kind, line in scanner.finish().items()
    ]


def _sort_out(
    findings: list[Finding],
) -> tuple[tuple[Finding, ...], tuple[tuple[Finding, str], ...]]:
    """Return the findings that count, and those that function.toml allows, with its reason."""
    reasons = {(allowed.rule, allowed.file): allowed.reason for allowed in ALLOWED}
    if unknown := {allowed.rule for allowed in ALLOWED} - {rule.id for rule in Rule}:
        raise UsageError(
            f"{FUNCTION_FILE.name}: [[allow]]: unknown rule {min(unknown)}",
            "`inspect` prints the rule of a finding at the beginning of its line.",
        )
    keys = {finding: (finding.rule.id, finding.path or finding.package) for finding in findings}
    return (
        tuple(finding for finding in findings if keys[finding] not in reasons),
        tuple((finding, reasons[key]) for finding, key in keys.items() if key in reasons),
    )


def _target(manifest: Manifest | None) -> Target:
    if manifest is None:
        return Target()
    handler = manifest.handler if manifest_rules.is_handler(manifest.handler) else None
    runtime = runtimes.RUNTIMES.get(manifest.runtime)
    return Target(handler, runtime, manifest.architecture, frozenset(manifest.own_files))


def _check_against(
    manifest: Manifest, package: OpenedPackage, contents: Mapping[str, Contents]
) -> list[Finding]:
    """Return the findings about what is different from what the manifest says of the package."""
    stated = next(listed for listed in manifest.packages() if listed.name == package.name)
    findings = manifest_rules.check_package(stated, package.size_bytes, package.sha256())
    if package.is_readable:
        paths = {entry.path for entry in package.entries if not entry.is_folder}
        read = contents[package.name].files if package.name in contents else {}
        findings += manifest_rules.check_files(stated, paths, read)
    return findings


def _check_libraries(
    packages: list[OpenedPackage], contents: Mapping[str, Contents], target: Target
) -> Iterator[Finding]:
    """Yield the findings about shared objects that lack a library."""
    places = {
        f"{native.root(name)}/{path}": (name, path)
        for name, content in contents.items()
        for path in content.files
    }
    objects = {
        place: contents[name].native[path]
        for place, (name, path) in places.items()
        if path in contents[name].native
    }
    missing = native.missing_libraries(objects, places.keys(), target)
    modules = {module for path in missing if (module := native.extension_module(path))}
    imported = {
        module
        for package in packages
        if modules
        for module in imported_without_guard(package, modules)
    }
    for place, libraries in missing.items():
        if native.extension_module(place) in imported | {None}:
            message = (
                f"it needs {', '.join(libraries)}, which neither the runtime nor the bundle has"
            )
            yield Finding(Rule.LIBRARY_NOT_PROVIDED, *places[place], message)


def _context(manifest: Manifest | None, packages: list[OpenedPackage]) -> BundleInfo:
    runtime = runtimes.RUNTIMES.get(manifest.runtime) if manifest else None
    return BundleInfo(
        handler=manifest.handler if manifest else None,
        architecture=manifest.architecture if manifest else None,
        runtime=manifest.runtime if manifest else None,
        runtime_deprecated=str(runtime.deprecated) if runtime else None,
        runtime_updates_blocked=str(runtime.updates_blocked) if runtime else None,
        packages=tuple(
            PackageInfo(
                name=package.name,
                files=sum(not entry.is_folder for entry in package.entries),
                size_bytes=package.size_bytes,
                unzipped_bytes=package.unzipped_bytes,
            )
            for package in packages
        ),
    )


def _place(finding: Finding) -> tuple[str, str, int, str, str]:
    path, line = finding.path or "", finding.line or 0
    return finding.package, path, line, finding.rule.id, finding.message


def refuse_findings(found: Report, more: str) -> None:
    if found.findings:
        count = len(found.findings)
        name = f"bundle {found.bundle_id[:12]}" if found.bundle_id else "this bundle"
        what = f"{count} finding{'s' if count > 1 else ''} in {name}: "
        raise InspectionError(what + ", ".join(found.rule_ids()), more)


def today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
