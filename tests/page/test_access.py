"""The release page is for everybody: by keyboard, read out, on a phone, in the dark."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.page import made
from tests.page.browser import DESK, PHONE, Browser

pytestmark = pytest.mark.integration

_AXE = Path(sys.prefix) / "axe" / "node_modules" / "axe-core" / "axe.min.js"


def test_the_keyboard_reaches_and_shows_everything(browser: Browser, tmp_path: Path) -> None:
    """In the order of the page; what has the focus is outlined."""
    browser.open(made.written(tmp_path, made.facts(made.history(3))))
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_it_has_no_barrier_and_fits(
    browser: Browser, tmp_path: Path, size: tuple[int, int], scheme: str
) -> None:
    """By axe-core, contrast included; nothing of the page has to be scrolled sideways."""
    assert _AXE.is_file(), "axe-core is not installed: run make setup"
    browser.open(made.written(tmp_path, made.facts(made.history(23)[:9])), size, scheme)
    browser.unfold()
    browser.click("#choice button")
    browser.run(_AXE.read_text("utf-8"))
    found = browser.driver.execute_async_script(
        "axe.run({resultTypes: ['violations']}).then(arguments[0])"
    )
    told = [
        (each["id"], node["html"], node["failureSummary"])
        for each in found["violations"]
        for node in each["nodes"]
    ]
    assert told == []
    wide = "return document.documentElement.scrollWidth"
    assert browser.run(wide) <= size[0] == browser.run("return innerWidth")


def test_it_is_dark_where_people_want_it_dark(browser: Browser, tmp_path: Path) -> None:
    page = made.written(tmp_path, made.facts(made.history(1)))
    lights = {}
    for scheme in ("light", "dark"):
        browser.open(page, scheme=scheme)
        colour = browser.run("return getComputedStyle(document.body).backgroundColor")
        lights[scheme] = sum(map(int, colour.removeprefix("rgb(").rstrip(")").split(",")))
    assert lights["dark"] < 150 < 600 < lights["light"]
