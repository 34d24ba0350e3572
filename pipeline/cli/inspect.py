"""inspect: report every rule that a bundle violates."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pipeline import github
from pipeline.cli import console
from pipeline.bundle.manifest import Bundle
from pipeline.cli.help import examples
from pipeline.errors import BundleError
from pipeline.inspection import report
from pipeline.runtimes import MAX_UNZIPPED_BYTES
from pipeline.inspection.inspector import inspect_bundle, refuse_findings, today
from pipeline.inspection.report import Report
from pipeline.packaging import freshness


@click.command("inspect", epilog=examples("inspect", "inspect other --json"))
@click.argument("folder", type=click.Path(path_type=Path), default=Path("build"))
@click.option("--expect", "expected_id", metavar="ID", help="Full id that the bundle must have.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(folder: Path, expected_id: str | None, as_json: bool) -> None:
    """Validate a bundle as untrusted input.

    FOLDER has the bundle (default: build). Nothing is unpacked to disk.

    Prints the content and every finding. Exits with 1 if there is a finding, or if the id of the
    bundle is not the one of --expect.
    """
    found = inspect_bundle(folder, today())
    if as_json:
        console.result_json(found.as_json())
    else:
        _show(found)
    if github.in_actions():
        for line in report.github_annotations(found):
            print(line, file=sys.stderr)
    if expected_id is not None:
        _refuse_another(found, expected_id)
    refuse_findings(found, "Each finding says what to do about it.")
    if text := freshness.warning(str(folder), Bundle.read(folder).manifest):
        console.notice(text)


def _show(found: Report) -> None:
    info = found.info
    rows = [
        [
            package.name,
            f"{package.files:,}",
            f"{package.size_bytes:,}",
            f"{package.unzipped_bytes:,}",
            f"{report.percent(package.unzipped_bytes, MAX_UNZIPPED_BYTES)} %",
        ]
        for package in info.packages
    ]
    unzipped = f"{info.unzipped_bytes:,}"
    share = f"{report.percent(info.unzipped_bytes, MAX_UNZIPPED_BYTES)} %"
    rows.append(["together", "", "", unzipped, share])
    console.result(f"bundle   {found.bundle_id or 'unknown'}")
    if info.runtime:
        line = f"function {info.handler} on {info.runtime}, {info.architecture}"
        console.result(report.printable(line))
    if info.runtime_deprecated:
        console.result(
            f"runtime  AWS deprecates {info.runtime} on {info.runtime_deprecated}, "
            f"and blocks updates from {info.runtime_updates_blocked} on"
        )
    columns = ["package", "files", "zipped bytes", "unzipped bytes", "of 250 MB"]
    console.table("", columns, rows)
    for finding in found.findings:
        console.result(f"{report.describe(finding)}\n    {finding.rule.hint}")
    for finding, reason in found.allowed:
        console.result(f"allowed: {report.describe(finding)}\n    {report.printable(reason)}")
    count = len(found.findings) or "no"
    console.result(f"{count} finding{'' if count == 1 else 's'}")


def _refuse_another(found: Report, expected_id: str) -> None:
    """Raise BundleError unless the bundle has this whole id, which its content decides."""
    if found.bundle_id != expected_id:
        raise BundleError(
            f"expected bundle {expected_id}, found {found.bundle_id or 'one without an id'}",
            "Do not deploy it: it is not the bundle that was built.",
        )
