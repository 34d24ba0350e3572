"""Have act read the workflow files strictly: `python -m tests.workflows.validate`.

In a copy without what act does not know yet.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

_WORKFLOWS = Path(__file__).parents[2] / ".github" / "workflows"


def for_the_runner(workflow: str) -> str:
    """Return a workflow's text without what act does not know yet.

    act 0.2.89 takes two keys for mistakes that GitHub knows since 2026: `queue` of a concurrency
    group, and `deployment` of an environment.
    """
    return re.sub(r"^ *(queue: max|deployment: false)\n", "", workflow, flags=re.MULTILINE)


def main() -> int:
    """Validate the workflows, and return act's exit status."""
    act = Path(sys.executable).parent / "act"
    with tempfile.TemporaryDirectory() as folder:
        for path in _WORKFLOWS.glob("*.yml"):
            Path(folder, path.name).write_text(for_the_runner(path.read_text()))
        command = [str(act), "--validate", "--strict", "--workflows", folder]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
