"""What tests of the release page share: an account, a browser, and pages written for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import page_data, page_html
from pipeline.page_facts import PageFacts
from tests.page.browser import Browser, opened

# The same account as tests of the ledger have, with moto behind it.
from tests.pipeline.conftest import account, server

__all__ = ["account", "server"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that one module has for itself. Where there is none, its tests are skipped.

    In CI they fail then: nobody would notice that they are not run.
    """
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        why = "chromium and chromedriver are not installed (Debian: chromium, chromium-driver)"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    with opened(chromium, chromedriver, tmp_path_factory.mktemp("browser")) as browser:
        yield browser


def written(folder: Path, facts: PageFacts) -> Path:
    """Write the page that tells these facts, as the verb does."""
    path = folder / "index.html"
    path.write_text(page_html.page(facts.environment, page_data.document(facts)), "utf-8")
    return path
