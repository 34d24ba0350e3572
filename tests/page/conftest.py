"""What tests of the release page share: a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.page.browser import Browser, opened


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
