"""The service in one environment: what a test builds, releases, and sees of it afterwards."""

from __future__ import annotations

import re
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from scratch.project import Project, Result


@dataclass
class Process:
    """A command that runs in the background, and what it has written to standard error so far."""

    popen: subprocess.Popen[str]
    _error: IO[str]
    stderr: str = ""

    def wait_for(self, phase: str) -> None:
        """Wait until the command is in a phase."""
        for line in self._error:
            self.stderr += line
            if line.startswith(f"{phase} "):
                return
        raise AssertionError(f"it ended before the phase {phase}: {self.stderr}")

    def wait(self) -> int:
        """Wait until the command has ended, and return its exit status."""
        self.stderr += self._error.read()
        return self.popen.wait()


@dataclass(frozen=True)
class Service:
    """A scratch project, and the environment that its commands are for."""

    project: Project
    environment: str
    good: str
    built: Path

    @classmethod
    def copy_to(
        cls,
        folder: Path,
        settings: Mapping[str, str],
        built_bundle: Path,
        environment: str = "local",
    ) -> Service:
        """Copy the project into `folder`. Its layer is that of `built_bundle`, until it changes."""
        project = Project.copy_to(folder, settings)
        return cls(project, environment, project.handler.read_text(), built_bundle)

    @property
    def function_name(self) -> str:
        return f"mongo-client-{self.environment}"

    def build(self, name: str, source: str = "") -> str:
        """Build the handler, with `source` at its end, into a folder; return the bundle's id."""
        if not (self.project.folder / name).exists():
            shutil.copytree(self.built, self.project.folder / name)
        self.project.handler.write_text(f"{self.good}\n{source}\n" if source else self.good)
        return self.project.must("build", "--out", name).strip()

    def drop_dnspython(self) -> None:
        """Take a package out of the layer's lock file. The handler works without it."""
        lock = self.project.folder / "layer/requirements.txt"
        lines = lock.read_text().splitlines(keepends=True)
        [start] = [number for number, line in enumerate(lines) if line.startswith("dnspython==")]
        [end] = [number for number, line in enumerate(lines) if line.startswith("pymongo==")]
        lock.write_text("".join(lines[:start] + lines[end:]))
        function = self.project.folder / "function.toml"
        function.write_text(re.sub(r'  "dns/.*\n', "", function.read_text()))

    def run(self, command: str, *arguments: str) -> Result:
        """Run a command for the environment to its end, whatever its exit status."""
        return self.project.run(command, "--environment", self.environment, *arguments)

    def must(self, command: str, *arguments: str) -> str:
        """Run a command for the environment; return its standard output if it succeeds."""
        return self.project.must(command, "--environment", self.environment, *arguments)

    @contextmanager
    def running(self, command: str, *arguments: str) -> Iterator[Process]:
        """Run a command for the environment in the background."""
        with subprocess.Popen(
            self.project.command(command, "--environment", self.environment, *arguments),
            cwd=self.project.folder,
            env=self.project.process_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as popen:
            assert popen.stderr
            try:
                yield Process(popen, popen.stderr)
            finally:
                popen.kill()

    def client(self, name: str) -> Any:
        """Return a client of an AWS service, as a person at the console would have."""
        return self.project.client(name)

    def live(self) -> tuple[str, dict[str, float]]:
        """Return the version that the alias live points to, and the shares of others."""
        alias = self.client("lambda").get_alias(FunctionName=self.function_name, Name="live")
        weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return str(alias["FunctionVersion"]), dict(weights)

    def configuration(self) -> dict[str, Any]:
        """Return the configuration of the version that serves."""
        functions = self.client("lambda")
        found = functions.get_function_configuration(
            FunctionName=self.function_name, Qualifier="live"
        )
        return dict(found)

    def releases(self) -> list[dict[str, Any]]:
        """Return the releases of the ledger, newest first."""
        found: list[dict[str, Any]] = json.loads(self.must("releases", "--json"))
        return found
