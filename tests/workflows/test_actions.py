"""Our own actions, each run as a step of a job: what was deployed last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.workflows.act_log import Run
from tests.workflows import events
from tests.workflows.runner import Runner, on_a_hub
from tests.workflows.local_actions import pins

pytestmark = pytest.mark.integration

_TINY = f"""
name: tiny
on: {{workflow_dispatch: {{}}}}
jobs:
  tiny:
    name: Tiny
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@{pins()["actions/checkout"]}
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
