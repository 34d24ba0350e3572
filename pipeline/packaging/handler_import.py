"""Import the handler from the built packages, as Lambda does when it starts an environment.

No rule finds all that can keep a module from being imported: a native library that another one
loads, a plugin found by name, metadata that a package asks for. So the packages are unpacked, and
the handler is imported by this machine's Python with the packages of AWS's runtime and nothing else
to import from, where this machine is like the one that the function will run on.
"""

from __future__ import annotations

import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from pipeline.bundle.manifest import Bundle
from pipeline.errors import HandlerImportError
from pipeline.runtimes import RUNTIMES

_PROGRAM = Path(__file__).with_name("runtime_init.py")
# The Python that this one's virtual environment was made from.
_BASE_PYTHON: str = getattr(sys, "_base_executable", sys.executable)
_MACHINES = {"x86_64": "x86_64", "aarch64": "arm64"}
# Lambda gives initialization 10 seconds, and then starts again within the function's time limit.
_GIVE_UP_S = 120


def try_import(bundle: Bundle, runtime_packages: Path) -> str:
    """Import the bundle's handler in a process of its own, and say in words what came of it.

    `runtime_packages` is a folder with the packages of AWS's runtime. Raises HandlerImportError if
    the import fails, whatever the function's environment may be. What else it raises may come of
    settings and services that are not here, so it is only reported.
    """
    manifest = bundle.manifest
    if reason := _cannot_be_tried(manifest.runtime, manifest.architecture, runtime_packages):
        return f"{manifest.handler} was not imported, for {reason}"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _unpack(bundle.function_zip, root / "task")
        if bundle.layer_zip is not None:
            _unpack(bundle.layer_zip, root / "opt")
        problem = _run(manifest.handler, manifest.runtime, root, runtime_packages)
    if problem is None:
        return f"{manifest.handler} can be imported from the built packages"
    if problem["refused"]:
        raise HandlerImportError(f"{problem['message']}\n{problem['trace']}".rstrip(), _HINT)
    return (
        f"importing {manifest.handler} raised {problem['message']}: here it has neither its "
        "environment variables nor AWS"
    )


_HINT = (
    "A missing module of this repository: name its file or folder in `files` of function.toml. Of "
    "another package: add it to layer/requirements.in, run `make lock ONLY=layer/requirements`, "
    "and build again. One that [layer] in function.toml leaves out: remove its pattern from "
    "`exclude`."
)


def _cannot_be_tried(runtime: str, architecture: str, runtime_packages: Path) -> str | None:
    """Return why the packages cannot be imported on this machine, if that is so."""
    machine = _MACHINES.get(platform.machine())
    if sys.platform != "linux" or machine != architecture:
        return f"it is built for Linux on {architecture}, and this is {sys.platform} on {machine}"
    name, version = platform.libc_ver()
    needed = RUNTIMES[runtime].glibc
    if name != "glibc" or tuple(map(int, version.split(".")[:2])) < needed:
        return f"this machine's C library is older than glibc {needed[0]}.{needed[1]}, Lambda's"
    if not (runtime_packages / "awslambdaric").is_dir():
        return (
            f"{runtime_packages} does not hold the packages of AWS's runtime: "
            "`python -m localcloud install` puts them there"
        )
    return None


def _unpack(archive: bytes, folder: Path) -> None:
    """Unpack a zip that was just built, with the modes of its files."""
    with zipfile.ZipFile(io.BytesIO(archive)) as zip_file:
        for info in zip_file.infolist():
            Path(zip_file.extract(info, folder)).chmod(info.external_attr >> 16 & 0o777)


def _run(
    handler: str, runtime: str, root: Path, runtime_packages: Path
) -> dict[str, str | bool] | None:
    """Return what the import raised (see runtime_init), or None if it went well."""
    task, layer = root / "task", root / "opt"
    import_path = [task, layer / "python", layer / f"python/lib/{runtime}/site-packages"]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": ":".join(map(str, [*import_path, runtime_packages.resolve()])),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LD_LIBRARY_PATH": ":".join(map(str, [task, task / "lib", layer / "lib"])),
        "LAMBDA_TASK_ROOT": str(task),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        # There are no credentials here, and no server that provides them.
        "AWS_EC2_METADATA_DISABLED": "true",
        **{
            name: "handler-import"
            for name in ("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_LOG_GROUP_NAME")
        },
    }
    result = root / "result.json"
    # -S and -P: nothing of the Python that runs this may be importable.
    command = [_BASE_PYTHON, "-S", "-P", str(_PROGRAM), handler, str(result)]
    try:
        done = subprocess.run(
            command, cwd=task, env=environment, capture_output=True, text=True, timeout=_GIVE_UP_S
        )
    except subprocess.TimeoutExpired:
        return {"refused": False, "message": f"nothing within {_GIVE_UP_S} s", "trace": ""}
    if not result.exists():
        message = f"importing {handler} ended Python with status {done.returncode}"
        return {"refused": True, "message": message, "trace": done.stderr[-2000:]}
    problem: dict[str, str | bool] | None = json.loads(result.read_text())
    return problem
