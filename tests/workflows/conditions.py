"""Run a workflow's conditions alone: its jobs and steps, each reduced to how it ends.

What depends on what, every `if`, and the outputs that pass from step to job to workflow are those
of the file. A step does nothing but succeed or fail, and set the outputs that the test gives it.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.workflows.act_log import Run
from tests.workflows.runner import Runner

# What a step puts out unless a test gives it something else: a merge that goes well.
_OUTPUTS: dict[str, dict[str, str]] = {
    "Build": {"bundle": "b"},
    "Check the ledger and the quarantine": {"turn": "true"},
    "Check that nothing newer was deployed": {"turn": "true"},
    "Plan and compare": {
        "differs": "false",
        "nothing-to-do": "false",
        "quarantined": "false",
        "sha256": "p",
    },
    "Find the last deployment that did well": {"commit": "c"},
    "Find the last deployed commit": {"commit": "c"},
}
_KEPT = ("name", "id", "if", "continue-on-error")
# Steps whose script only says how the run ends: they stay as they are.
_COMPARING = ("Check the results of all jobs", "Report that nothing was deployed")


def run(
    runner: Runner,
    event_name: str,
    workflow: str,
    event: dict[str, Any],
    *,
    failing: Collection[str] = (),
    outputs: Mapping[str, Mapping[str, str]] | None = None,
    variables: bool = True,
    pages: bool = False,
) -> Run:
    """Run the conditions of a workflow, with `failing` steps and `outputs` of steps.

    A step is named as in the file. Where staging and production share a workflow, the caller comes
    first: `staging: Deploy`.
    """
    folder = runner.repository.clone / ".github" / "workflows"
    every = {**_OUTPUTS, **(outputs or {})}

    def reduce(path: Path, caller: str) -> str:
        document = {
            "on" if key is True else key: value
            for key, value in yaml.safe_load(path.read_text()).items()
        }
        for name, job in document["jobs"].items():
            if "uses" in job:
                called = reduce(folder / Path(job["uses"]).name, f"{name}: ")
                job["uses"] = f"./.github/workflows/{called}"
            else:
                job["steps"] = [_reduced(step, caller, failing, every) for step in job["steps"]]
        reduced = f"conditions-{caller.partition(':')[0]}{path.name}"
        (folder / reduced).write_text(yaml.safe_dump(document, sort_keys=False))
        return reduced

    reduced = reduce(folder / workflow, "")
    return runner.run(event_name, reduced, event, variables=variables, pages=pages)


def _reduced(
    step: dict[str, Any],
    caller: str,
    failing: Collection[str],
    outputs: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    """Return a step that only ends as it is to end, on the same conditions."""
    if step["name"] in _COMPARING:
        return step
    names = (f"{caller}{step['name']}", step["name"])
    found = next((outputs[name] for name in names if name in outputs), {})
    lines = [
        f'echo {shlex.quote(f"{key}={value}")} >> "$GITHUB_OUTPUT"' for key, value in found.items()
    ]
    ending = "exit 1" if any(name in failing for name in names) else "exit 0"
    kept = {key: step[key] for key in _KEPT if key in step}
    return kept | {"shell": "bash", "run": "\n".join([*lines, ending])}
