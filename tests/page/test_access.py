"""The release page is accessible: by keyboard, screen reader, on a phone, in dark mode."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from pipeline.report.release_page.collect import ReleaseHistory
from tests.page import factories
from tests.page.browser import DESK, PHONE, Browser

pytestmark = pytest.mark.integration

_AXE = Path(sys.prefix) / "axe" / "node_modules" / "axe-core" / "axe.min.js"
# axe-core looks at every row, and the rows of a list are alike.
_FILES = 12


def test_the_keyboard_reaches_and_shows_everything(browser: Browser, tmp_path: Path) -> None:
    """In the order of the page; what has the focus is outlined."""
    browser.open(factories.written(tmp_path, factories.page_history(factories.history(3))))
    browser.unfold()
    browser.click("#choice button")
    browser.run("document.activeElement.blur(); scrollTo(0, 0)")
    browser.press(Keys.CONTROL, Keys.HOME)
    browser.run("document.body.tabIndex = -1; document.body.focus()")
    outlined = (
        "const style = getComputedStyle(document.activeElement);"
        "return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2"
    )
    while browser.tab():
        assert browser.run(outlined), browser.run("return document.activeElement.outerHTML")
    missed = browser.run(
        "return [...document.querySelectorAll("
        "  'a[href], button, input, select, summary, [tabindex=\"0\"]')]"
        ".filter((each) => each.checkVisibility() && !each.dataset.seen)"
        ".map((each) => each.outerHTML)"
    )
    assert missed == []
    seen = "return [...document.querySelectorAll('[data-seen]')].map((each) => each.dataset.seen)"
    places = [int(each.split()[1]) for each in browser.run(seen)]
    assert places == sorted(places) and len(places) > 40


def _of_each_kind() -> ReleaseHistory:
    """Return a page's facts: each kind of release, and of each list of files the first few."""
    page_history = factories.page_history(factories.history(23)[:9])
    manifests = {}
    for bundle, manifest in page_history.manifests.items():
        assert manifest.layer
        layer = replace(manifest.layer, files=manifest.layer.files[:_FILES])
        manifests[bundle] = replace(manifest, layer=layer)
    return replace(page_history, manifests=manifests)


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        pytest.param(PHONE, "dark", id="phone-dark"),
        pytest.param(DESK, "light", id="desk-light"),
        pytest.param(PHONE, "light", id="phone-light", marks=pytest.mark.extended),
        pytest.param(DESK, "dark", id="desk-dark", marks=pytest.mark.extended),
    ],
)
def test_it_has_no_barrier_and_fits(
    browser: Browser, tmp_path: Path, size: tuple[int, int], scheme: str
) -> None:
    """axe-core finds nothing, contrast included; nothing has to be scrolled sideways."""
    assert _AXE.is_file(), "axe-core is not installed: run make setup"
    browser.open(factories.written(tmp_path, _of_each_kind()), size, scheme)
    browser.unfold()
    browser.click("#choice button")
    browser.run(_AXE.read_text("utf-8"))
    found = browser.driver.execute_async_script(
        "axe.run({resultTypes: ['violations']}).then(arguments[0])"
    )
    barriers = [
        (violation["id"], node["html"], node["failureSummary"])
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
    assert barriers == []
    wide = "return document.documentElement.scrollWidth"
    assert browser.run(wide) <= size[0] == browser.run("return innerWidth")


def test_it_is_dark_in_dark_mode(browser: Browser, tmp_path: Path) -> None:
    page = factories.written(tmp_path, factories.page_history(factories.history(1)))
    lights = {}
    for scheme in ("light", "dark"):
        browser.open(page, scheme=scheme)
        colour = browser.run("return getComputedStyle(document.body).backgroundColor")
        lights[scheme] = sum(map(int, colour.removeprefix("rgb(").rstrip(")").split(",")))
    assert lights["dark"] < 150 < 600 < lights["light"]
