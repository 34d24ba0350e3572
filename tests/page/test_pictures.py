"""The README's pictures: those that it shows are those that `make pictures` makes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.page import factories, pictures
from tests.page.browser import Browser
from scratch.source import ROOT

pytestmark = pytest.mark.integration

_MOST_BYTES = 150_000
_OUTPUT = """
\x1b[1;36m== Build the bundle\x1b[0m
left out
\x1b[1;36m== Roll back, while a client keeps calling\x1b[0m
\x1b[1m$ python -m pipeline rollback\x1b[0m
switch   live to version 1
\x1b[1;36m== What happened\x1b[0m
The page of these releases: {root}/page/demo/index.html
"""


def test_the_documents_have_what_the_target_makes() -> None:
    documents = "".join(path.read_text() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))
    displayed = set(re.findall(r"pictures/([\w.-]+\.(?:svg|png))", documents))
    kept = {path.name: path.stat().st_size for path in pictures.FOLDER.iterdir()}
    assert displayed == set(kept) == {pictures.RECORDING, *pictures.SHOTS}
    assert max(kept.values()) < _MOST_BYTES
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^pictures:.*\n\t\$\(PYTHON\) -m tests\.page\.pictures$", makefile, re.M)


def test_the_recording_is_the_end_of_the_demo_and_asks_nobody_for_anything() -> None:
    drawn = pictures.recording(_OUTPUT.format(root=ROOT.as_uri()))
    text = re.sub(r"<[^>]*>", "", drawn).replace("&#160;", " ")
    assert "$ python -m pipeline rollback" in text and "switch   live to version 1" in text
    assert "file://…/page/demo/index.html" in text
    assert "left out" not in text and str(ROOT) not in drawn
    assert not re.search(r"@font-face|@import|href=|src=|url\([^#]", drawn)


def test_the_demo_takes_the_option_that_the_pictures_give_it() -> None:
    done = subprocess.run([*pictures.DEMO, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "--page" in done.stdout, done.stderr


def test_a_page_gives_a_picture_of_each_name(browser: Browser, tmp_path: Path) -> None:
    page = factories.written(tmp_path, factories.page_history(factories.history(3)))
    folder = tmp_path / "pictures"
    folder.mkdir()
    pictures.shoot(browser, page, folder)
    assert {path.name for path in folder.iterdir()} == set(pictures.SHOTS)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in folder.iterdir())
