"""pip: run for the layer, with its progress, and with what went wrong and what to do about it."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from pipeline import progress
from pipeline.config import ARCHITECTURE, RUNTIME
from pipeline.errors import LayerError
from pipeline.packaging import lambda_platform

# The first line of the programs that packages install names their interpreter, which pip takes from
# sys.executable.
_AS_ON_LAMBDA = (
    f"import runpy, sys; sys.executable = {lambda_platform.INTERPRETER!r}; "
    "runpy.run_module('pip', run_name='__main__', alter_sys=True)"
)
_NO_CHECK = "--disable-pip-version-check"
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")  # pip's --progress-bar raw
_FILE = re.compile(r"\s*(?:Downloading|Using cached) (\S+)")

TOO_LARGE = (
    "Lock fewer or smaller packages, or leave files out (`exclude`, docs/layer.md). A larger "
    "function needs a container image, which this pipeline does not deploy."
)
_NOT_FOUND = re.compile(r"No matching distribution found for (\S+)")
# At verbosity 2: links that pip passes over, and pages that it cannot read.
_PASSED_OVER = re.compile(r"Skipping link: (.*?): \S*/([^/\s#]+)")
_MOST = 10  # that an error names
_UNREADABLE = re.compile(
    r"Could not fetch URL (\S+): (connection error: .*|timed out|.*(?:ssl|SSL).*"
    r"|.*\b(?:401|403|407|5\d\d) .*)"
)


def install(
    requirements: list[str], wheels: Path, target: Path, limit_bytes: int | None = None
) -> None:
    """Install the requirements, lines with hashes, as pip would on Lambda: from its index, and from
    the folder `wheels`.

    Raises LayerError if one is not to be had for Lambda, is not what was locked, or is larger than
    `limit_bytes`.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "requirements.txt")
        file.write_text("\n".join(requirements))
        command = [sys.executable, "-c", _AS_ON_LAMBDA, "install", _NO_CHECK]
        command += ["--target", str(target), "--no-deps", "--no-compile", "--require-hashes"]
        command += ["--no-warn-script-location", "--root-user-action", "ignore"]
        command += ["--progress-bar", "raw", "--find-links", str(wheels)]
        command += [*lambda_platform.pip_options(), "--requirement", str(file)]
        with progress.step("install") as bar:
            status, complaints = _run(command, bar, limit_bytes)
    if status != 0:
        raise _explained(complaints)


def build_wheel(source: Path, wheels: Path) -> None:
    """Build a wheel of the package in the folder `source`; raise LayerError if that fails."""
    command = [sys.executable, "-m", "pip", "wheel", _NO_CHECK, "--no-deps", "--quiet"]
    command += ["--wheel-dir", str(wheels), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise LayerError(
            f"pip cannot build a wheel of {source.name}:\n{done.stderr.strip()}",
            "Correct its pyproject.toml until `pip wheel` succeeds in that folder.",
        )


def _run(command: list[str], bar: progress.Bar, limit_bytes: int | None) -> tuple[int, str]:
    """Run pip to its end; return its exit status, and what it wrote to standard error.

    Raises LayerError at the first file that is larger than the limit, before it is downloaded.
    """
    name = ""
    # Not a pipe: it is read only at the end.
    with tempfile.TemporaryFile("w+") as complaints:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=complaints, text=True
        ) as process:
            assert process.stdout
            for line in process.stdout:
                if found := _FILE.match(line):
                    name = found[1].rpartition("/")[2]
                if found := _PROGRESS.match(line):
                    done, total = int(found[1]), int(found[2])
                    if limit_bytes and total > limit_bytes:
                        process.terminate()
                        raise LayerError(
                            f"{name} has {total:,} bytes, and AWS accepts {limit_bytes:,} for "
                            "layer and function together",
                            TOO_LARGE,
                        )
                    bar.update(done, f"{done:,} of {total:,} bytes  {name}", total=total)
        complaints.seek(0)
        return process.returncode, complaints.read()


def _explained(complaints: str) -> LayerError:
    """Return the error for pip's own: what pip says of it, and what to do."""
    if match := _NOT_FOUND.search(complaints):
        return _not_found(match[1])
    output = "\n".join(re.findall(r"^(?:ERROR: |    ).*", complaints, re.MULTILINE)) or complaints
    hint = "Correct the lock file, or what pip names."
    if "DO NOT MATCH THE HASHES" in complaints:
        hint = "The index has another file than was locked. Find out why before you lock again."
    return LayerError(f"pip could not install the layer's packages:\n{output.strip()}", hint)


def _not_found(requirement: str) -> LayerError:
    """Return the error for a release of which pip finds no file, with those that it passes over."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", _NO_CHECK, "-vv", "--no-deps"]
        command += ["--retries", "0", *lambda_platform.pip_options(), "--dest", folder]
        done = subprocess.run([*command, requirement], capture_output=True, text=True)
    output = done.stdout + done.stderr
    name, _, version = requirement.partition("==")
    found = _PASSED_OVER.findall(output)
    if others := sorted(
        {platform for why, file in found for platform in _made_for(why, file, version)}
    ):
        more = f" and {len(others) - _MOST} others" if len(others) > _MOST else ""
        return LayerError(
            f"{name} {version} has no wheel for {RUNTIME} on {ARCHITECTURE}: there is only "
            f"{', '.join(others[:_MOST])}{more}",
            "Lock a release that has one, or build a wheel and name its path in the layer's "
            "requirements (docs/layer.md). pip does not compile source for another machine.",
        )
    if pages := _UNREADABLE.findall(output):
        return LayerError(
            f"pip cannot read the index, {pages[0][0]}: {pages[0][1]}",
            "Check the network, and pip's settings: PIP_INDEX_URL, its credentials, HTTPS_PROXY.",
        )
    return LayerError(
        f"pip finds no {name} {version}: it is not in its index",
        "Check the name and the version, and which index pip uses: `pip config debug`.",
    )


def _made_for(reason: str, file: str, version: str) -> Iterator[str]:
    """Yield what a file of the release is made for, which pip passes over for a reason."""
    try:
        _, found, _, tags = parse_wheel_filename(file)
    except InvalidWheelFilename:
        if file.removesuffix(".zip").removesuffix(".tar.gz").endswith(f"-{version}"):
            yield "source"
        return
    if str(found) == version:
        python = reason.partition(" Requires-Python ")[2]
        yield from (f"{tag.interpreter}-{tag.platform} {python}".rstrip() for tag in tags)
