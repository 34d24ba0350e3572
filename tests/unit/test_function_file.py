"""A mistake in function.toml is one clear line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline import function_file
from pipeline.errors import UsageError
from scratch.project import Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project.copy_to(tmp_path_factory.mktemp("function-file") / "project")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('handler = "nowhere.answer"', "does not exist: nowhere.py"),
        ('handler = "resolver"', "handler is 'resolver'"),
        ('secrets = "password"', "secrets is 'password'"),
        ('routes = ["GET orders"]', "routes is ['GET orders']"),
        ('allow = [{ rule = "credential", file = "a.py" }]', "[[allow]] 1: reason is missing"),
        (
            'allow = [{ rule = "credential", file = "a.py", reason = " " }]',
            "[[allow]] 1: reason is ' '",
        ),
        ("allow = [1]", "[[allow]] 1: 1 is not a table"),
        ("secrets = [1]", "secrets is [1]"),
        ("colour = 1", "unknown key 'colour'"),
        ("runtime = 3", "runtime is 3"),
        ('source = "../other"', "source is '../other'"),
        ('files = ["nowhere"]', "no such file or folder in files: nowhere"),
        ('files = ["layer"]', "does not exist: lambda_function.py"),
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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ('request = "GET /a"\nstatus = 200\nhold = {}', "unknown key 'hold'"),
        ('request = "get /a"\nstatus = 200', "request is 'get /a'"),
        ('request = "GET /a"', "status is missing"),
        ('request = "GET /a"\nstatus = "200"', "status is '200'"),
        ('request = "GET /a"\nstatus = 20', "status is 20"),
    ],
)
def test_a_mistake_in_a_first_call_is_found_by_each_command(
    tmp_path: Path, call: str, message: str
) -> None:
    file = tmp_path / "function.toml"
    file.write_text(
        'name = "shop"\nhandler = "shop.answer"\nruntime = "python3.13"\n'
        f'architecture = "arm64"\n[[smoke]]\nrequest = "GET /b"\nstatus = 200\n[[smoke]]\n{call}\n'
    )
    with pytest.raises(UsageError) as error:
        function_file.read(file)
    assert error.value.message == f"function.toml: [[smoke]] 2: {message}"
