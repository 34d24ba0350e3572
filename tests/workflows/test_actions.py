"""Our own actions, each run as a step of a job: what was deployed last, what may be destroyed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.workflows.act_log import Run
from tests.workflows import events
from tests.workflows.runner import Runner, on_a_hub
from tests.workflows.standins import PINNED

pytestmark = pytest.mark.integration

_TINY = f"""
name: tiny
on: {{workflow_dispatch: {{}}}}
jobs:
  tiny:
    name: Tiny
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@{PINNED["actions/checkout"]}
"""
_STEP = """
      - id: %(name)s
        name: Look for %(name)s
        uses: ./.github/actions/%(action)s
        with: {environment: %(name)s}
      - name: Print %(name)s
        env:
          OUTPUTS: ${{ toJSON(steps.%(name)s.outputs) }}
        run: echo "$OUTPUTS"
"""


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """A repository on a hub, where nothing needs a cloud."""
    with on_a_hub(tmp_path_factory.mktemp("actions"), {}) as runner:
        yield runner


def _ask(runner: Runner, action: str, *environments: str) -> Run:
    steps = [_STEP % {"name": each, "action": action} for each in environments]
    runner.repository.write(".github/workflows/tiny.yml", _TINY + "".join(steps))
    return runner.run("workflow_dispatch", "tiny.yml", events.dispatch())


def test_a_deployment_of_what_main_never_had_is_not_trusted(runner: Runner) -> None:
    """Anybody who may push can record one."""
    hub, repository = runner.hub, runner.repository
    repository.start("evil")
    evil = repository.commit("Not reviewed")
    repository.git("push", "--quiet", "origin", "evil")
    repository.back_to_main()
    hub.deployed("production", evil)
    run = _ask(runner, "last-deployed", "production")
    hub.deployments.pop()
    assert run.failed() == [("Tiny", "Look for production")]
    assert f"was of {evil}" in run.why()
    assert "not in main's history" in run.why()


def _pull_request(label: str, merged_as: str | None, **more: Any) -> dict[str, Any]:
    labels = [{"name": "bug"}, {"name": f"allow-destroy:{label}"}]
    return {"labels": labels, "merge_commit_sha": merged_as, **more}


def test_labels_count_from_the_last_deployment_on(runner: Runner) -> None:
    """Of every merge since, for one that was skipped comes along; and of no other pull request."""
    hub, repository = runner.hub, runner.repository
    old, deployed, skipped, newest = (repository.merge(each) for each in ("1", "2", "3", "4"))
    hub.pull_requests |= {
        1: _pull_request("aws_deployed.x", deployed),
        2: _pull_request("aws_skipped.x", skipped),
        3: _pull_request("aws_newest.x", newest),
        4: _pull_request("aws_open.x", None, head={"sha": newest}),
        5: _pull_request("aws_elsewhere.x", newest, base={"ref": "topic"}),
    }
    hub.deployed("staging", old)
    hub.deployed("staging", deployed)
    hub.deployed("staging", newest, "FAILURE")
    hub.deployed("staging-rollback", newest)
    hub.deployed("production", deployed, "INACTIVE")
    hub.deployed("production", newest)
    run = _ask(runner, "allowed-destruction", "staging", "production", "never")
    assert run.succeeded, run.why()
    assert {
        name: re.findall(r"--allow-destroy=([\w.]+)", run.step("Tiny", f"Print {name}").log)
        for name in ("staging", "production", "never")
    } == {
        "staging": ["aws_newest.x", "aws_skipped.x"],
        "production": [],
        # Before the first deployment there is nothing to destroy, and no end to what was merged.
        "never": ["aws_newest.x"],
    }
