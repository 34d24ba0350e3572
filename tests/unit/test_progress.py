"""A long step shows how far it is on a terminal, and nowhere else."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import terminal
from scratch.project import Project

_BAR, _HIDDEN_CURSOR = "━", "\x1b[?25l"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.copy_to(tmp_path / "project")


@pytest.fixture
def silent_index() -> Iterator[dict[str, str]]:
    """Settings that let pip ask a server that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        yield {
            "PIP_INDEX_URL": f"http://127.0.0.1:{port}/simple",
            "PIP_EXTRA_INDEX_URL": "",
            "PIP_FIND_LINKS": "",
            "PIP_NO_CACHE_DIR": "1",
            "PIP_CONFIG_FILE": "/dev/null",
        }


@pytest.mark.integration
def test_the_layer_shows_what_is_fetched_and_compiled_and_leaves_no_trace(project: Project) -> None:
    with terminal.at(project, "build") as seen:
        pass
    assert seen.process.returncode == 0, seen.text
    assert (
        "bytes  pymongo-" in seen.text
        and "compile" in seen.text
        and "zip" in seen.text
        and _BAR in seen.text
    )
    assert seen.colours and seen.shows_its_cursor
    stayed = [line.split()[0] for line in seen.screen if line.strip()]
    assert stayed[0] == "building"
    assert {"lambda_function.zip", "pymongo-layer.zip"} <= set(stayed)
    assert not any(_BAR in line for line in seen.screen)


def test_ctrl_c_ends_a_step_and_the_cursor_is_back(
    project: Project, silent_index: dict[str, str]
) -> None:
    """With NO_COLOR, the bar has no colours either."""
    with terminal.at(project, "build", environment=silent_index | {"NO_COLOR": "1"}) as seen:
        while _BAR not in seen.text:
            assert seen.process.poll() is None, seen.text
            time.sleep(0.05)
        assert not seen.shows_its_cursor
        seen.press(terminal.CTRL_C)
    assert seen.process.returncode == 1 and "error[stopped]" in seen.text
    assert seen.shows_its_cursor and not seen.colours
    assert not any(_BAR in line for line in seen.screen)


@pytest.mark.parametrize("setting", [{"TERM": "dumb"}, {"GITHUB_ACTIONS": "true"}])
def test_a_terminal_that_only_takes_lines_gets_lines(
    project: Project, silent_index: dict[str, str], setting: dict[str, str]
) -> None:
    quick = {"PIP_TIMEOUT": "0.1", "PIP_RETRIES": "0"}
    with terminal.at(project, "build", environment=silent_index | quick | setting) as seen:
        pass
    assert "error[layer-not-built]" in seen.text
    assert _BAR not in seen.text and _HIDDEN_CURSOR not in seen.written
    assert "TERM" not in setting or "\x1b" not in seen.written


def test_a_log_has_no_bar_even_if_it_may_have_colours(
    project: Project, silent_index: dict[str, str]
) -> None:
    quick = {"PIP_TIMEOUT": "0.1", "PIP_RETRIES": "0", "FORCE_COLOR": "1"}
    project.environment |= silent_index | quick
    done = project.run("build")
    assert "building the layer" in done.stderr and "error" in done.stderr
    assert _BAR not in done.stderr and _HIDDEN_CURSOR not in done.stderr
