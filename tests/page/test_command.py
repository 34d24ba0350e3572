"""`python -m pipeline page`: one file, whole or not at all, and a word about where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.aws import Aws
from pipeline.release.ledger import Ledger
from pipeline.target import Target
from tests.page import factories
from scratch.project import Project
from scratch.source import ROOT


@pytest.fixture
def project(account: Aws, moto_server: str) -> Project:
    """The project, pointed at an account whose ledger has one release."""
    records = Ledger(Target(account, factories.PRODUCTION))
    records.begin(factories.release(1, outcome="under way"))
    records.end(factories.release(1))
    credentials = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    return Project(
        ROOT, {"AWS_ENDPOINT_URL": moto_server, "AWS_REGION": "us-east-1", **credentials}
    )


def test_it_writes_one_file_and_says_where_and_how_large(project: Project, tmp_path: Path) -> None:
    """Into a folder that it makes; a page that is there already is replaced."""
    out = tmp_path / "a" / "b"
    for _ in range(2):
        text = project.must("page", "--environment", "production", "--out", str(out))
        [file] = out.iterdir()
        size = file.stat().st_size
        assert text == f"{out}/index.html: 1 release of production, {size:,} bytes\n"
    assert "<title>mongo-client: production</title>" in file.read_text()


def test_an_environment_without_a_release_has_a_page(project: Project, tmp_path: Path) -> None:
    text = project.must("page", "--environment", "staging", "--out", str(tmp_path))
    assert ": 0 releases of staging, " in text
    assert (tmp_path / "index.html").is_file()


def test_a_folder_that_cannot_be_created_is_an_error(project: Project, tmp_path: Path) -> None:
    """It is a usage error, before AWS is called."""
    (tmp_path / "file").write_text("mine")
    project.environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
    done = project.run(
        *("page", "--environment", "production", "--out", str(tmp_path / "file" / "folder"))
    )
    assert done.returncode == 2
    assert "error[usage]: the page cannot be written into" in done.stderr
    assert "Not a directory" in done.stderr and "Use a writable folder" in done.stderr
    assert (tmp_path / "file").read_text() == "mine"


def test_a_page_that_cannot_be_put_in_its_place_leaves_nothing(
    project: Project, tmp_path: Path
) -> None:
    (tmp_path / "index.html").mkdir()
    done = project.run("page", "--environment", "production", "--out", str(tmp_path))
    assert done.returncode == 2 and "cannot be written into" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
