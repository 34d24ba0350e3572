"""A job of GitHub Actions, as far as the pipeline's commands know of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from scratch.project import Project, Result

_JOB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "owner/repository",
    "GITHUB_RUN_ID": "77",
    "GITHUB_ACTOR": "ada",
}


@dataclass(frozen=True)
class Step:
    """The results of a step: a command's output, its outputs, its summary, and its saved plan."""

    done: Result
    outputs: dict[str, str]
    summary: str
    page: str
    saved: dict[str, Any]

    @property
    def headline(self) -> str:
        return self.summary.splitlines()[0]

    def everything(self) -> str:
        """Return all that people can read of the step."""
        saved = json.dumps(self.saved)
        return "\n".join([self.done.stdout, self.done.stderr, self.summary, self.page, saved])


@dataclass(frozen=True)
class Job:
    """A job that runs commands in a project, each as a step."""

    project: Project

    def step(self, *arguments: str, save: str = "", in_actions: bool = True) -> Step:
        """Run a command; with `save`, let it save the plan in the folder of this name."""
        folder = self.project.folder
        files = {name: folder / f"{name}.md" for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.write_text("")
        job = _JOB | {name: str(file) for name, file in files.items()} if in_actions else {}
        runner = Project(folder, self.project.environment | job)
        done = runner.run(*arguments, *(["--out", save] if save else []))
        output, summary = (file.read_text() for file in files.values())
        found = re.findall(r"^([\w-]+)<<(\w+)\n(.*?)\n\2$", output, re.MULTILINE | re.DOTALL)
        saved, page = folder / save / "plan.json", folder / save / "plan.md"
        return Step(
            done,
            {name: value for name, _, value in found},
            summary,
            page.read_text() if save and page.exists() else "",
            json.loads(saved.read_text()) if save and saved.exists() else {},
        )
