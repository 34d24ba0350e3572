"""What happened in a run of a workflow, read from act's log.

Jobs are known by the names that people see on GitHub; jobs of a called workflow by the caller's
name and their own (`Staging / Deploy`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Step:
    """One step of a job: how it ended (`success`, `failure`, `skipped`), and what it printed."""

    result: str = ""
    log: str = ""


@dataclass
class Job:
    """One job: how it ended, its steps by name, the roles that it got, and as whom.

    `name` and `id` are as act prints them.
    """

    name: str
    id: str
    result: str = ""
    steps: dict[str, Step] = field(default_factory=dict)
    roles: list[str] = field(default_factory=list)
    identities: list[str] = field(default_factory=list)


@dataclass
class Run:
    """What happened in a run of a workflow."""

    succeeded: bool
    jobs: dict[str, Job]
    annotations: list[dict[str, str]]
    summary: str = field(repr=False)
    log: str = field(repr=False)

    def step(self, job: str, step: str) -> Step:
        return self.jobs[job].steps[step]

    def failed(self) -> list[tuple[str, str]]:
        """Return the steps that failed, each with its job."""
        return [
            (name, step)
            for name, job in self.jobs.items()
            for step, text in job.steps.items()
            if text.result == "failure"
        ]

    def why(self) -> str:
        """Return what the steps that failed printed, or the end of the whole log."""
        parts = [f"{job}: {step}\n{self.jobs[job].steps[step].log}" for job, step in self.failed()]
        return "\n".join(parts) or self.log[-5000:]

    def results(self) -> dict[str, str]:
        return {name: job.result for name, job in self.jobs.items()}


def read(log: str, succeeded: bool) -> Run:
    """Read act's log: one JSON document a line."""
    run = Run(succeeded, {}, [], "", log)
    for line in log.splitlines():
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if "jobID" in message:
            _take(run, message)
    # A job that calls a workflow and is not skipped has no result of its own.
    run.jobs = {name: job for name, job in run.jobs.items() if job.result}
    return run


def _take(run: Run, message: dict[str, Any]) -> None:
    """Add one line of the log to what is known of its run."""
    act_name = message["job"].strip()
    job = run.jobs.setdefault(
        _people_name(act_name, message["matrix"]), Job(act_name, message["jobID"])
    )
    if "jobResult" in message:
        job.result = message["jobResult"]
        if message["matrix"] and not any(each.result == "failure" for each in job.steps.values()):
            # act has one result for all jobs of a matrix, and calls a leg failed for its sibling.
            job.result = job.result.replace("failure", "success")
    if message.get("command") in ("error", "notice", "warning"):
        place = message.get("kvPairs") or {}
        run.annotations.append(
            {"level": message["command"], "message": message["arg"], "job": act_name, **place}
        )
    if message.get("command") == "summary":
        run.summary += message["content"]
    if message.get("stage") != "Main":
        return
    step = job.steps.setdefault(message["step"].removeprefix("Main "), Step())
    if message.get("raw_output") or message.get("command"):
        text = message.get("raw") or message["msg"]
        step.log += text
        job.roles += re.findall(r"^assumed (\S+)$", text, re.MULTILINE)
        job.identities += re.findall(r"^identity (.+)$", text, re.MULTILINE)
    if "stepResult" in message and len(message["stepID"]) == 1:
        step.result = message["stepResult"]


def _people_name(act_name: str, matrix: dict[str, str]) -> str:
    caller, _, rest = act_name.partition("/")
    name = rest if "/" not in rest else f"{caller} / {rest.partition('/')[2]}"
    return re.sub(r"-\d+$", "", name) if matrix else name
