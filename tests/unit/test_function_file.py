"""A mistake in function.toml is one clear line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scratch.project import Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project.copy_to(tmp_path_factory.mktemp("function-file") / "project")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('handler = "nowhere.answer"', "its file nowhere.py is not there"),
        ('handler = "resolver"', "handler is 'resolver'"),
        ('secrets = "password"', "secrets is 'password'"),
        ('allow = [{ rule = "credential", file = "a.py" }]', "[[allow]] 1: reason is missing"),
        (
            'allow = [{ rule = "credential", file = "a.py", reason = " " }]',
            "[[allow]] 1: reason is ' '",
        ),
        ("allow = [1]", "[[allow]] 1: 1 is no table"),
        ("secrets = [1]", "secrets is [1]"),
        ("colour = 1", "colour is unknown"),
        ("runtime = 3", "runtime is 3"),
        ('source = "../other"', "source is '../other'"),
        ('files = ["nowhere"]', "files names nowhere, and there is no such file or folder"),
        ('files = ["layer"]', "its file lambda_function.py is not there"),
        ("name = [", "cannot be read"),
    ],
)
def test_a_mistake_is_a_clear_line(
    project: Project, tmp_path: Path, line: str, message: str
) -> None:
    file = project.folder / "function.toml"
    good = file.read_text()
    name = line.split()[0]
    file.write_text(f"{line}\n" + re.sub(rf"^{name} .*\n", "", good, flags=re.MULTILINE))
    try:
        done = project.run("build", "--out", str(tmp_path / "build"))
    finally:
        file.write_text(good)
    assert done.returncode == 2 and message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "build").exists()
