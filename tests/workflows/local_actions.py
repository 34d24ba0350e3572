"""The actions of the marketplace that the workflows use, as the runner finds them here."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from scratch.source import ROOT
from tests.workflows.fake_actions import ACTIONS

FAKE_ACTIONS = Path(__file__).with_name("fake_actions.py")
_PIN = re.compile(r"uses: ([^./@][^@\s]*)@([0-9a-f]{40})")


def pins() -> dict[str, str]:
    """Return the commit of each action that the workflows use."""
    return {
        action: commit
        for path in (ROOT / ".github").rglob("*.yml")
        for action, commit in _PIN.findall(path.read_text())
    }


def write(folder: Path) -> list[str]:
    """Write a stand-in for each action that is used; return act's options to take them.

    CONFIGURE_AWS_CREDENTIALS names a folder with the real action of that name, to be used instead.
    """
    options = []
    for action, commit in sorted(pins().items()):
        if action not in ACTIONS:  # of a workflow that is not run here: the runner would refuse it
            continue
        inputs, outputs = ACTIONS[action]
        steps = [_standin_step(action) | {"id": "do"}]
        real = os.environ.get("CONFIGURE_AWS_CREDENTIALS")
        if action == "aws-actions/configure-aws-credentials":
            if real:
                given = {name: f"${{{{ inputs.{name} }}}}" for name in inputs}
                steps = [{"uses": f"real/{action.partition('/')[2]}@{commit}", "with": given}]
                options += ["--local-repository", f"{steps[0]['uses']}={Path(real).resolve()}"]
            steps = [_standin_step("identity"), *steps, _standin_step("assumed")]
        definition = {
            "name": action,
            "inputs": {name: {"default": ""} for name in inputs},
            "outputs": {name: {"value": f"${{{{ steps.do.outputs.{name} }}}}"} for name in outputs},
            "runs": {"using": "composite", "steps": steps},
        }
        target = folder / action
        target.mkdir(parents=True)
        (target / "action.yml").write_text(json.dumps(definition))
        options += ["--local-repository", f"{action}@{commit}={target}"]
    return options


def _standin_step(what: str) -> dict[str, Any]:
    return {
        "shell": "bash",
        "env": {"INPUTS": "${{ toJSON(inputs) }}"},
        "run": f'"$STAND_IN_PYTHON" {FAKE_ACTIONS} {what}',
    }
