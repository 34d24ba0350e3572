"""Deploys and rolls back again and again, each time with one thing going wrong.

After each: no request of a client failed; live points to the version before or to one that had
answered its first calls; the ledger tells what happened; the same command, run again, finishes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from tests import http
from tests.project import ROOT, Project, Result

ENVIRONMENT = ("--environment", "local")
FUNCTION = "mongo-client-local"
_WORD = ("--release-from-quarantine", "--reason", "a crash test")

_FAULTS = {
    "aws": ("fail", "throttle", "lose once", "lose", "kill before", "kill after"),
    "terraform": ("fail", "kill before", "kill during", "kill after"),
    "write": ("fail", "kill before", "kill after"),
}


@dataclass(frozen=True)
class Point:
    """One thing that goes wrong: the `number`th outside call of a kind, and how."""

    verb: str
    kind: str
    number: int
    name: str
    fault: str

    def __str__(self) -> str:
        return f"{self.verb}: {self.fault} of {self.kind} {self.number} ({self.name})"


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
        project.folder.joinpath("terraform/environments/local/release.toml").write_text(
            f"percents = [10, 100]\nwatch_s = {watch_s}\nleast_calls = {least_calls}\nalarms = []\n"
        )
        good = project.handler.read_text() + also
        for name in ("one", "two"):
            project.handler.write_text(f"{good}\nNAME = {name!r}\n")
            project.must("build", "--out", name)
        ids = [
            json.loads((project.folder / name / "manifest.json").read_text())["id"]
            for name in ("one", "two")
        ]
        for bundle in ("one", "two"):
            project.must("deploy", *ENVIRONMENT, "--bundle", bundle, "--all-at-once", *_WORD)
        return cls(project, (ids[0], ids[1]))

    def points(self, verb: str) -> list[Point]:
        """Run a verb with nothing going wrong, and return all that could have."""
        listed = self.project.folder / f"{verb}-points"
        self.project.environment["CRASH_POINTS"] = str(listed)
        done = self._run(Point(verb, "nothing", 0, "", ""))
        del self.project.environment["CRASH_POINTS"]
        assert done.returncode == 0, done.stderr
        counts: Counter[str] = Counter()
        found = []
        for line in listed.read_text().splitlines():
            kind, name = json.loads(line)
            counts[kind] += 1
            found += [Point(verb, kind, counts[kind], name, each) for each in _FAULTS[kind]]
        return found

    def command(self, verb: str) -> tuple[str, list[str]]:
        """Return the bundle that does not serve now, and the arguments that bring it."""
        serving = self._newest_succeeded()["bundle"]
        target = self.bundles[1 - self.bundles.index(serving)]
        if verb == "deploy":
            return target, ["deploy", *ENVIRONMENT, "--bundle", target, *_WORD]
        release = next(
            each["release"]
            for each in self.releases()
            if each["bundle"] == target and each["outcome"] == "succeeded"
        )
        return target, ["rollback", *ENVIRONMENT, "--to", str(release), "--reason", "a crash test"]

    def hold(self, point: Point) -> list[str]:
        """Let one thing go wrong; return what did not hold, in words."""
        before, answered = self.live(), Counter(self.answers)
        target, arguments = self.command(point.verb)
        done = self._run(point, target, arguments)
        problems = self._look(point, done, before)
        if done.returncode != 0:
            again = self._run(Point(point.verb, "nothing", 0, "", ""), target, arguments)
            if again.returncode != 0:
                problems.append(f"run again, it exited {again.returncode}: {again.stderr[-1500:]}")
        problems += self._look_at_the_end(target)
        failed = {name: n for name, n in (self.answers - answered).items() if "failed" in name}
        if failed:
            problems.append(f"requests failed: {failed}")
        return problems

    def _run(self, point: Point, target: str = "", arguments: list[str] | None = None) -> Result:
        arguments = arguments or self.command(point.verb)[1]
        spec = {"kind": point.kind, "number": point.number, "fault": point.fault}
        return subprocess.run(
            [sys.executable, "-m", "tests.crash.shim", json.dumps(spec), *arguments],
            cwd=self.project.folder,
            # `pipeline` is the copy's, for the folder that it runs in comes first.
            env=self.project.process_environment() | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=240,
        )

    def _look(self, point: Point, done: Result, before: dict[str, float]) -> list[str]:
        """Look right after it went wrong."""
        problems = []
        killed = point.fault.startswith("kill")
        if (done.returncode == -9) != killed:
            problems.append(f"it exited {done.returncode}: {done.stderr[-1500:]}")
        served = self.live()
        for version in served:
            status = self._health(version)
            if version not in before and status != 200:
                problems.append(f"live points to version {version}, which answers {status}")
        newest = self.releases()[0]
        expected = {
            0: ("succeeded",),
            1: ("failed", "succeeded"),
            -9: ("under way", "succeeded", "failed"),
        }
        if newest["outcome"] not in expected.get(done.returncode, ()):
            problems.append(f"it exited {done.returncode}, the ledger says {newest['outcome']}")
        if done.returncode == 1 and point.verb == "deploy" and newest["outcome"] == "failed":
            if served != before:
                problems.append(f"it failed, and live went from {before} to {served}")
        return problems

    def _look_at_the_end(self, target: str) -> list[str]:
        """Look after the command was run to its end."""
        problems = []
        newest, live = self.releases()[0], self.live()
        if (newest["bundle"], newest["outcome"]) != (target, "succeeded"):
            problems.append(
                f"the newest release is {newest['outcome']}, of {newest['bundle'][:12]}"
            )
        if live != {newest["version"]: 1.0}:
            problems.append(f"live is {live}, the ledger says version {newest['version']}")
        return problems

    def releases(self, limit: int = 12) -> list[dict[str, Any]]:
        """Return the last releases, newest first."""
        listed = self.project.must("releases", *ENVIRONMENT, "--json", "--limit", str(limit))
        return list(json.loads(listed))

    def _newest_succeeded(self) -> dict[str, Any]:
        return next(each for each in self.releases() if each["outcome"] == "succeeded")

    def _functions(self) -> Any:
        settings = self.project.environment
        return boto3.client(
            "lambda",
            endpoint_url=settings["AWS_ENDPOINT_URL"],
            region_name=settings["AWS_REGION"],
            aws_access_key_id="look",
            aws_secret_access_key="look",
        )

    def live(self) -> dict[str, float]:
        """Return the versions that live points to, with their shares."""
        alias = self._functions().get_alias(FunctionName=FUNCTION, Name="live")
        weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return {alias["FunctionVersion"]: 1.0} | weights

    def _health(self, version: str) -> int:
        event = {
            "version": "2.0",
            "rawPath": "/api/health",
            "requestContext": {"http": {"method": "GET", "path": "/api/health"}},
        }
        answer = self._functions().invoke(
            FunctionName=FUNCTION, Qualifier=version, Payload=json.dumps(event).encode()
        )
        return int(json.load(answer["Payload"]).get("statusCode", 0))


@contextmanager
def called_throughout(harness: Harness) -> Iterator[None]:
    """Let a client call live all the while."""
    with http.calling(harness.project.environment["API_URL"], pause_s=0.3) as harness.answers:
        yield


def spread(points: list[Point], count: int) -> list[Point]:
    """Return `count` of the points, evenly spread over all of them."""
    step = max(1, len(points) // count)
    return points[::step][:count]
