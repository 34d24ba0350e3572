"""The demo, as `make demo` runs it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scratch.project import outside_of_a_job
from scratch.source import ROOT
from tests.support import release_page

pytestmark = pytest.mark.extended


def test_the_demo_takes_a_change_there_and_back(tmp_path: Path) -> None:
    """Source to running function, called, replaced and rolled back; only the page is left."""
    scratch, page = tmp_path / "scratch", tmp_path / "page"
    scratch.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--page", str(page)],
        cwd=ROOT,
        env=outside_of_a_job() | {"TMPDIR": str(scratch), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    answers = re.findall(r"answered by v1: [\d,]+, v2: [\d,]+; failed: 0", done.stdout)
    # Each line is printed where the calls are counted, and again at the end.
    assert len(answers) == 4 and answers[:2] == answers[2:], done.stdout
    assert '"drink":"coffee"' in done.stdout.replace('": "', '":"')
    assert "No changes." in done.stdout and "rollback to #1" in done.stdout
    assert re.search(r"total +[\d.]+ +47", done.stdout)
    assert list(scratch.iterdir()) == []
    _, _, summary = done.stdout.partition("== What happened\n")
    lines = summary.splitlines()
    assert [line[:11].strip() for line in lines] == [
        *("release #1", "release #2", "", "release #3", "", "release #4"),
        *("Terraform", "The page of"),
    ]
    assert lines[-1].endswith((page / "index.html").as_uri())
    data = release_page.read(page / "index.html")
    # The demo ends with a release that can be rolled back from: the page shows how.
    assert (data["serving"], data["wayBack"]) == (4, 3)
    assert data["rollback"] == [
        'python -m pipeline rollback --environment local --to {release} --reason "…"'
    ]
    releases = data["releases"]
    corrected = ['answer["headers"]["x-demo"] = "this is the corrected handler"']
    [source] = releases[0]["source"]
    assert source["path"] == "lambda_function.py" and source["added"] == 9
    assert [line[1:].strip() for line in source["lines"] if "corrected" in line] == corrected
    assert [(release["number"], release["kind"], release["reason"]) for release in releases] == [
        (4, "deploy", "the correction"),
        (3, "rollback", "we liked the old one better"),
        (2, "deploy", "the change"),
        (1, "deploy", "the first release"),
    ]
