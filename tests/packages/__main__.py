"""make packages: take packages through lock, build, import and inspection as a function's layer.

Without names those of packages.toml; with `--deploy` each is deployed to this machine's own cloud
and called, too. The table is that of docs/packages.md, which `--write` writes.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scratch import cloud
from scratch.source import ROOT
from tests.packages import sweep
from tests.packages.sweep import Outcome, Package
from tests.support import provider

_PAGE = ROOT / "docs" / "packages.md"
_MARKS = re.compile(r"(?<=<!-- table -->\n).*(?=<!-- end of table -->)", re.DOTALL)


def main() -> int:
    """Try the packages, print a line for each as it ends, and the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.packages", description=__doc__)
    parser.add_argument("names", nargs="*", help="what to lock, such as numpy or 'fastapi mangum'")
    parser.add_argument("--deploy", action="store_true", help="deploy and call each")
    parser.add_argument("--arm64", action="store_true", help="build for arm64; nothing is called")
    parser.add_argument("--write", action="store_true", help="write the table of docs/packages.md")
    options = parser.parse_args()
    packages = sweep.chosen(options.names) if options.names else sweep.listed()
    architecture = "arm64" if options.arm64 else "x86_64"
    with tempfile.TemporaryDirectory(prefix="packages-") as folder:
        if options.deploy:
            outcomes = _deployed(packages, Path(folder))
        else:
            with ThreadPoolExecutor(2) as pool:
                outcomes = list(
                    pool.map(lambda each: _tried(each, Path(folder), architecture), packages)
                )
    lines = list(sweep.table(outcomes))
    failed = sum(bool(outcome.failed) for outcome in outcomes)
    print(*lines, f"\n{len(outcomes) - failed} of {len(outcomes)} work", sep="\n")
    if options.write:
        _PAGE.write_text(_MARKS.sub("\n".join(lines) + "\n", _PAGE.read_text()))
    return min(failed, 1)


def _deployed(packages: list[Package], folder: Path) -> list[Outcome]:
    """Deploy one after the other to one cloud."""
    with contextlib.ExitStack() as stack:
        settings = stack.enter_context(cloud.running(folder / "cloud"))
        settings |= stack.enter_context(provider.running(settings))
        return [
            _shown(sweep.attempt(package, _folder(folder, package), settings))
            for package in packages
        ]


def _tried(package: Package, folder: Path, architecture: str) -> Outcome:
    return _shown(sweep.attempt(package, _folder(folder, package), architecture=architecture))


def _folder(folder: Path, package: Package) -> Path:
    return folder / re.sub(r"\W", "-", package.name)


def _shown(outcome: Outcome) -> Outcome:
    print(
        f"{outcome.seconds:6.1f} s  {outcome.package.name}  {outcome.failed or 'works'}", flush=True
    )
    if outcome.failed:
        print(outcome.problem, file=sys.stderr, flush=True)
    return outcome


if __name__ == "__main__":
    sys.exit(main())
