"""Run Terraform, and read what it says: its messages, its plans, its outputs."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import progress
from pipeline.terraform.progress import ApplyProgress
from pipeline.aws import Aws
from pipeline.bundle.manifest import Manifest, Package, sha256_hex
from pipeline.config import Environment
from pipeline.errors import StateLockedError, TerraformError
from pipeline.signals import deferred_signals
from pipeline.terraform.plan import read_plan
from pipeline.config import FUNCTION, LAYER, ROOT, SERVICE, TERRAFORM_DIR
from pipeline.bundle.store import package_key

# use_lockfile (the state's lock in S3) came with 1.10.
_MIN_VERSION = (1, 10)
_LOCK_PATIENCE_S = 20
_STOP_PATIENCE_S = 60
_LOOKED_AT_EVERY_S = 0.05


@dataclass(frozen=True)
class SavedPlan:
    """A plan that can be applied, and what `terraform show -json` says of it."""

    path: Path
    document: dict[str, Any]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to apply."""
        return read_plan(self.document).empty

    @property
    def outputs(self) -> dict[str, Any]:
        """The root module's outputs, as far as they are known before the plan is applied."""
        return _values(self.document["planned_values"]["outputs"])


@dataclass(frozen=True)
class Stack:
    """A root module with a state of its own: an environment's service, or the account's bootstrap.

    `name` is what its data folder is called; `variables_file` holds what a person decided, and
    `variables` what follows from the name.
    """

    directory: Path
    name: str
    state_key: str
    variables_file: Path | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)

    def how_to_unlock(self, lock_id: str) -> str:
        """Return the command that takes a lock of this state away."""
        if self.directory == TERRAFORM_DIR:
            return f"python -m pipeline unlock --environment {self.name} {lock_id}"
        data_dir = self.directory / ".terraform" / self.name
        return f"TF_DATA_DIR={data_dir} terraform -chdir={self.directory} force-unlock {lock_id}"


def service_stack(environment: Environment) -> Stack:
    """Return the stack that an environment is."""
    return Stack(
        TERRAFORM_DIR,
        environment.name,
        environment.state_key,
        environment.variables_file,
        {"permissions_boundary": environment.permissions_boundary},
    )


class Terraform:
    """Terraform for one stack. Made by `workspace`."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._data_dir = os.environ.get("TF_DATA_DIR") or str(
            stack.directory / ".terraform" / stack.name
        )

    def plan(
        self, aws: Aws, variables: dict[str, Any], *, lock: bool = True, destroy: bool = False
    ) -> SavedPlan:
        """Plan the stack with these `variables` and those of its file, or plan to `destroy` it.

        A plan that is only to be read takes no `lock` on the state: taking one is a write.
        """
        self._init(aws)
        given = self._folder / "given.tfvars.json"
        given.write_text(json.dumps({**self._stack.variables, **variables}))
        files = [file for file in (self._stack.variables_file, given) if file]
        path = self._folder / "plan"
        with progress.step("plan"):
            self._run(
                *("plan", "-json", "-input=false", f"-out={path}"),
                f"-lock-timeout={_LOCK_PATIENCE_S}s" if lock else "-lock=false",
                *(["-destroy"] if destroy else []),
                *(f"-var-file={file}" for file in files),
            )
            return SavedPlan(path, json.loads(self._run("show", "-json", str(path))))

    def apply(self, plan: SavedPlan) -> dict[str, Any]:
        """Apply exactly a saved plan, say what changes as it goes, and return the outputs."""
        with progress.step("apply") as bar:
            output = self._run(
                *("apply", "-json", "-input=false", f"-lock-timeout={_LOCK_PATIENCE_S}s"),
                str(plan.path),
                on_message=ApplyProgress(bar).take,
            )
        messages = (_message(line) for line in output.splitlines())
        return _values(
            next(message["outputs"] for message in messages if message and "outputs" in message)
        )

    def unlock(self, aws: Aws, lock_id: str) -> None:
        """Remove the lock with this id. Raises TerraformError if the lock has another id."""
        self._init(aws)
        self._run("force-unlock", "-force", lock_id)

    def _init(self, aws: Aws) -> None:
        """Fetch the provider that the lock file names, and set up the environment's state.

        Not if that was done here before, for the same state, by the same Terraform and lock file:
        it reads the whole provider, which takes as long as several plans.
        """
        backend = {
            "bucket": aws.state_bucket,
            "key": self._stack.state_key,
            "region": aws.region,
            # Path-style addresses work on AWS and on a loopback address alike.
            "use_path_style": "true",
        }
        settings = [f"-backend-config={name}={value}" for name, value in backend.items()]
        lock = (self._stack.directory / ".terraform.lock.hcl").read_text("utf-8")
        made_of = sha256_hex("\n".join([*settings, version(), lock]).encode())
        done = Path(self._data_dir, "initialised")
        if done.is_file() and done.read_text() == made_of and self._has_state_at(backend["key"]):
            return
        done.unlink(missing_ok=True)
        self._run("init", "-input=false", "-reconfigure", "-lockfile=readonly", *settings)
        done.write_text(made_of)

    def _has_state_at(self, key: str) -> bool:
        """Return whether the data folder is still set up for that state."""
        try:
            file = json.loads(Path(self._data_dir, "terraform.tfstate").read_text("utf-8"))
            return bool(file["backend"]["config"]["key"] == key)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def _run(
        self, *arguments: str, on_message: Callable[[dict[str, Any]], None] | None = None
    ) -> str:
        """Run Terraform to its end and return its standard output.

        Raises StateLockedError or TerraformError. If this process gets SIGINT or SIGTERM meanwhile,
        Terraform gets it too, and is waited for: it then finishes what it is doing, stores its
        state and gives up its lock.
        """
        # Into files, not pipes: should this process die, Terraform would die of a broken pipe, and
        # leave a locked and stale state behind. So it ends what it does.
        output, complaints = self._folder / "output", self._folder / "complaints"
        process: subprocess.Popen[bytes] | None = None
        try:
            # A signal that ended this between the start and the assignment would leave a Terraform
            # behind that nobody stops or waits for.
            with deferred_signals():
                process = self._start(arguments, output, complaints)
            lines = list(_lines_until_end(process, output, on_message))
        except BaseException:
            if process:
                _stop(process)
            raise
        if process.returncode != 0:
            raise _failure(arguments[0], self._stack, lines, complaints.read_text())
        return "".join(lines)

    def _start(
        self, arguments: tuple[str, ...], printed: Path, complaints: Path
    ) -> subprocess.Popen[bytes]:
        with printed.open("w") as output_file, complaints.open("w") as error_file:
            return subprocess.Popen(
                [_executable(), f"-chdir={self._stack.directory}", *arguments, "-no-color"],
                env={
                    # Terraform and its provider live for seconds. Collecting their garbage less
                    # often saves a quarter of their CPU time, for a tenth more memory.
                    "GOGC": "300",
                    **os.environ,
                    "TF_DATA_DIR": self._data_dir,
                    "TF_IN_AUTOMATION": "1",
                },
                stdin=subprocess.DEVNULL,
                stdout=output_file,
                stderr=error_file,
                # Ctrl-C in a terminal reaches this process only, which passes it on.
                process_group=0,
            )


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a process, and wait for its end. Kill it if that takes too long."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_STOP_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _lines_until_end(
    process: subprocess.Popen[bytes],
    printed: Path,
    on_message: Callable[[dict[str, Any]], None] | None,
) -> Iterator[str]:
    """Yield the lines that a process writes into a file; call `on_message` with each."""
    with printed.open() as file:
        line, ended = "", False
        while not ended:
            ended = _ends_within(process, _LOOKED_AT_EVERY_S)
            while part := file.readline():
                line += part
                if line.endswith("\n"):
                    if on_message and (message := _message(line)):
                        on_message(message)
                    yield line
                    line = ""
        if line:
            yield line


def _ends_within(process: subprocess.Popen[bytes], patience_s: float) -> bool:
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        return False
    return True


@contextmanager
def workspace(stack: Stack) -> Iterator[Terraform]:
    """Yield Terraform for a stack. Its plans are deleted at the end.

    A saved plan holds values in clear, so it lives in a folder that only this user can read.
    """
    with tempfile.TemporaryDirectory(prefix="pipeline-") as folder:
        yield Terraform(stack, Path(folder))


def function_variables(aws: Aws) -> dict[str, Any]:
    """Return the Terraform variables that function.toml and the account decide."""
    return {
        "service": SERVICE,
        "description": FUNCTION["description"],
        "routes": FUNCTION["routes"],
        "secrets": FUNCTION["secrets"],
        "artifact_bucket": aws.artifact_bucket,
    }


def bundle_variables(aws: Aws, manifest: Manifest) -> dict[str, Any]:
    """Return the Terraform variables that a bundle decides, with those of the function."""
    return function_variables(aws) | {
        "function_package": _stored(manifest.function),
        "layer_package": {"name": LAYER, **_stored(manifest.layer)} if manifest.layer else None,
        "handler": manifest.handler,
        "runtime": manifest.runtime,
        "architecture": manifest.architecture,
    }


def _stored(package: Package) -> dict[str, str]:
    return {"key": package_key(package), "sha256_base64": package.sha256_base64}


def version() -> str:
    """Return Terraform's version; raise TerraformError if there is none, or one too old."""
    return _accepted[_executable()]


def _executable() -> str:
    """Return Terraform's path; raise TerraformError if there is none, or one too old."""
    wanted = ".".join(map(str, _MIN_VERSION))
    hint = f"Install Terraform {wanted} or newer: https://developer.hashicorp.com/terraform/install"
    path = shutil.which("terraform")
    if path is None:
        raise TerraformError("terraform is not installed (not on PATH)", hint)
    if path not in _accepted:
        output = subprocess.run([path, "version"], capture_output=True, text=True).stdout
        found = re.search(r"^Terraform v((\d+)\.(\d+)\S*)", output, re.MULTILINE)
        if found is None:
            raise TerraformError(f"{path} does not print Terraform's version", hint)
        if (int(found[2]), int(found[3])) < _MIN_VERSION:
            raise TerraformError(f"Terraform {found[1]} is too old: {path}", hint)
        _accepted[path] = found[1]
    return path


_accepted: dict[str, str] = {}


def _values(outputs: dict[str, Any]) -> dict[str, Any]:
    return {name: output.get("value") for name, output in outputs.items()}


def _message(line: str) -> dict[str, Any] | None:
    """Read one line of Terraform's -json output; None if it is something else."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def _failure(
    command: str, stack: Stack, lines: list[str], errors: str
) -> StateLockedError | TerraformError:
    """Turn Terraform's diagnostics into one error."""
    directory = stack.directory.relative_to(ROOT).as_posix()
    found = [
        message["diagnostic"]
        for line in lines
        if (message := _message(line)) and message.get("@level") == "error"
        if "diagnostic" in message
    ]
    for diagnostic in found:
        if diagnostic["summary"] == "Error acquiring the state lock":
            return _locked(diagnostic["detail"], stack)
    messages = [_tell(diagnostic, directory) for diagnostic in found] or ["".join(lines) + errors]
    place = next((diagnostic["range"] for diagnostic in found if "range" in diagnostic), None)
    return TerraformError(
        f"terraform {command} failed:\n" + "\n".join(messages).strip(),
        file=f"{directory}/{place['filename']}" if place else None,
        line=place["start"]["line"] if place else None,
    )


def _tell(diagnostic: dict[str, Any], directory: str) -> str:
    where = ""
    if "range" in diagnostic:
        place = diagnostic["range"]
        where = f"{directory}/{place['filename']}:{place['start']['line']}: "
    return f"{where}{diagnostic['summary']}\n{diagnostic.get('detail', '')}".strip()


def _locked(detail: str, stack: Stack) -> StateLockedError:
    facts = dict(re.findall(r"^\s*(ID|Who|Created|Operation):\s+(.*)$", detail, re.MULTILINE))
    return StateLockedError(
        f"the state is locked by {facts.get('Who', 'somebody')} since "
        f"{facts.get('Created', 'some time')} ({facts.get('Operation', 'unknown operation')})",
        "Wait for it. If that process is surely dead: "
        + stack.how_to_unlock(facts.get("ID", "ID")),
    )
