"""Deploys and rolls back again and again, each time with one thing going wrong.

After each: no request of a client failed; live points to the version before or to one that had
answered its first calls; the ledger has what happened; the same command, run again, finishes.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any


from pipeline.release import quarantine
from pipeline.aws import Aws
from pipeline.config import Environment
from pipeline.release.ledger import Ledger, Release
from pipeline.target import Target
from tests.support import http
from scratch.project import Project, Result
from scratch.source import ROOT

ENVIRONMENT = ("--environment", "local")
FUNCTION = "mongo-client-local"
_LOCAL = Environment("local")
_WORD = ("--release-from-quarantine", "--reason", "a crash test")

_FAULTS = {
    "aws": ("fail", "throttle", "lose once", "lose", "kill before", "kill after"),
    "terraform": ("fail", "kill before", "kill during", "kill after"),
    "write": ("fail", "kill before", "kill after"),
}


@dataclass(frozen=True)
class Point:
    """One thing that goes wrong: the n-th of the outside calls of a kind and name, and how."""

    command: str
    kind: str = "nothing"
    name: str = ""
    occurrence: int = 0
    fault: str = ""

    def __str__(self) -> str:
        return f"{self.command}: {self.fault} of {self.kind} {self.name} ({self.occurrence})"


@dataclass(frozen=True)
class Outcome:
    """What came of trying a point: what did not hold, in words, and how it was tried.

    `met` says that it did go wrong; `again` that the command was run again: where nothing at all
    had changed, that would be the plain run, which is known to end well.
    """

    problems: tuple[str, ...]
    met: bool
    again: bool


@dataclass
class Harness:
    """A project with two bundles that a cloud serves in turn."""

    project: Project
    bundles: tuple[str, str]
    answers: Counter[str] = field(default_factory=Counter)

    @classmethod
    def ready(
        cls,
        folder: Path,
        cloud: dict[str, str],
        *,
        watch_s: float = 0.2,
        least_calls: int = 2,
        also: str = "",
    ) -> Harness:
        """Build two bundles, and release both, so that either can be deployed or restored.

        Their handler is the project's, with what `also` says behind it.
        """
        project = Project.copy_to(folder / "project", cloud)
        project.folder.joinpath("terraform/environments/local/rollout.toml").write_text(
            f"percents = [10, 100]\nwatch_s = {watch_s}\nleast_calls = {least_calls}\nalarms = []\n"
        )
        good = project.handler.read_text() + also
        for name in ("one", "two"):
            project.handler.write_text(f"{good}\nNAME = {name!r}\n")
            project.must("build", "--out", name)
            # The layer of the first is that of the second.
            if name == "one":
                shutil.copytree(project.folder / "one", project.folder / "two")
        ids = [
            json.loads((project.folder / name / "manifest.json").read_text())["id"]
            for name in ("one", "two")
        ]
        for bundle in ("one", "two"):
            project.must("deploy", *ENVIRONMENT, "--bundle", bundle, "--all-at-once", *_WORD)
        return cls(project, (ids[0], ids[1]))

    def points(self, command: str) -> list[Point]:
        """Run a command with nothing going wrong, and return all that could have."""
        listed = self.project.folder / f"{command}-points"
        done = self._run(Point(command), self.command(command)[1], CRASH_POINTS=str(listed))
        assert done.returncode == 0, done.stderr
        counts: Counter[tuple[str, str]] = Counter()
        found = []
        for line in listed.read_text().splitlines():
            kind, name = json.loads(line)
            counts[kind, name] += 1
            found += [
                Point(command, kind, name, counts[kind, name], fault) for fault in _FAULTS[kind]
            ]
        return found

    def command(self, command: str) -> tuple[str, list[str]]:
        """Return the bundle that does not serve now, and the arguments that bring it."""
        target = self.bundles[1 - self.bundles.index(self._succeeded()[0].bundle)]
        if command == "deploy":
            return target, ["deploy", *ENVIRONMENT, "--bundle", target, *_WORD]
        number = next(release.number for release in self._succeeded() if release.bundle == target)
        return target, ["rollback", *ENVIRONMENT, "--to", str(number), "--reason", "a crash test"]

    def hold(self, point: Point) -> Outcome:
        """Let one thing go wrong, and look; run the command again, and look."""
        before, answered, traces = self.live(), Counter(self.answers), self._traces()
        target, arguments = self.command(point.command)
        left = self.bundles[1 - self.bundles.index(target)]
        fired = self.project.folder / "fired"
        fired.unlink(missing_ok=True)
        done = self._run(point, arguments, CRASH_FIRED=str(fired))
        killed = point.fault.startswith("kill") and fired.exists()
        problems = self._look(point, done, before, killed)
        again = done.returncode != 0 and self._traces() != traces
        if again:
            rerun = self._run(Point(point.command), arguments)
            if rerun.returncode != 0:
                problems.append(f"run again, it exited {rerun.returncode}: {rerun.stderr[-1500:]}")
        if done.returncode == 0 or again:
            problems += self._look_at_the_end(point.command, target, left)
        failed = {name: n for name, n in (self.answers - answered).items() if "failed" in name}
        if failed:
            problems.append(f"requests failed: {failed}")
        return Outcome(tuple(problems), fired.exists(), again)

    def terraform_agrees(self) -> list[str]:
        """Return what Terraform would change, with the bundle that serves."""
        planned = self.project.run("plan", *ENVIRONMENT, "--bundle", "live")
        return [] if "No changes." in planned.stdout else [planned.stdout + planned.stderr[-1500:]]

    def _run(self, point: Point, arguments: list[str], **settings: str) -> Result:
        spec = {name: value for name, value in asdict(point).items() if name != "command"}
        return subprocess.run(
            [sys.executable, "-m", "tests.fault_injection.shim", json.dumps(spec), *arguments],
            cwd=self.project.folder,
            # `pipeline` is the copy's, for the folder that it runs in comes first.
            env=self.project.process_environment() | {"PYTHONPATH": str(ROOT)} | settings,
            capture_output=True,
            text=True,
        )

    def _look(
        self, point: Point, done: Result, before: dict[str, float], killed: bool
    ) -> list[str]:
        """Look right after it went wrong."""
        problems = []
        if (done.returncode == -9) != killed:
            problems.append(f"it exited {done.returncode}: {done.stderr[-1500:]}")
        served, newest = self.live(), self.releases()[0]
        unproved = set(served) - set(before) - {release.version for release in self._succeeded()}
        if unproved and not re.search(r"^(10 %|100 %|switch) ", done.stderr, re.MULTILINE):
            problems.append(f"live points to {unproved}, which had not passed its first calls")
        expected = {
            0: ("succeeded",),
            1: ("failed", "succeeded"),
            -9: ("under way", "succeeded", "failed"),
        }
        if newest.outcome not in expected.get(done.returncode, ()):
            problems.append(f"it exited {done.returncode}, the ledger says {newest.outcome}")
        if done.returncode == 1 and point.command == "deploy" and newest.outcome == "failed":
            if served != before:
                problems.append(f"it failed, and live went from {before} to {served}")
        if done.returncode == 1 and not _is_true_of_traffic(done.stderr, before, served):
            problems.append(f"live went from {before} to {served}: {done.stderr[-1500:]}")
        return problems

    def _look_at_the_end(self, command: str, target: str, left: str) -> list[str]:
        """Look after the command was run to its end."""
        problems = []
        newest, live = self.releases()[0], self.live()
        if (newest.bundle, newest.outcome) != (target, "succeeded"):
            problems.append(f"the newest release is {newest.outcome}, of {newest.bundle[:12]}")
        if live != {newest.version: 1.0}:
            problems.append(f"live is {live}, the ledger says version {newest.version}")
        if command == "deploy" and quarantine.contains(Target(self._aws, _LOCAL), target):
            problems.append("what serves is in quarantine")
        if command == "rollback" and not quarantine.contains(Target(self._aws, _LOCAL), left):
            problems.append("what was left is not in quarantine")
        return problems

    @cached_property
    def _aws(self) -> Aws:
        """The account, as its owner sees it; in this process, for a new one takes a second."""
        return self.project.account()

    def _traces(self) -> tuple[Any, ...]:
        """Return what a command may leave: objects except the lease, live, versions, the code."""
        objects = [
            (item["Key"], item["ETag"])
            for bucket in (self._aws.artifact_bucket, self._aws.state_bucket)
            for page in self._aws.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
            for item in page.get("Contents", [])
            if not item["Key"].startswith("lease/")
        ]
        versions = self._aws.functions.list_versions_by_function(FunctionName=FUNCTION)["Versions"]
        code = [
            (version["Version"], version["CodeSha256"], version["LastModified"])
            for version in versions
        ]
        return tuple(objects), tuple(sorted(self.live().items())), tuple(code)

    def releases(self, limit: int = 40) -> list[Release]:
        """Return the last releases, newest first."""
        return list(islice(Ledger(Target(self._aws, _LOCAL)).releases(), limit))

    def _succeeded(self) -> list[Release]:
        return [release for release in self.releases() if release.outcome == "succeeded"]

    def live(self) -> dict[str, float]:
        """Return the versions that live points to, with their shares."""
        alias = self._aws.functions.get_alias(FunctionName=FUNCTION, Name="live")
        weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return {alias["FunctionVersion"]: 1.0} | weights


def _is_true_of_traffic(text: str, before: dict[str, float], now: dict[str, float]) -> bool:
    """Return whether a failure says what serves: all versions that do, or that it is not known."""
    [line] = re.findall(r"^traffic: (.*)$", text, re.MULTILINE) or [""]
    named = set(re.findall(r"version (\d+)", line))
    if "unchanged" in line and before != now:
        return False
    return named == set(now) or bool(re.match("unchanged: nothing was done|.*not known", line))


@contextmanager
def called_throughout(harness: Harness) -> Iterator[None]:
    """Let a client call live all the while."""
    with http.calling(harness.project.environment["API_URL"], pause_s=0.3) as harness.answers:
        yield
