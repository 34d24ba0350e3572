"""With thousands of releases the page is as quick, to the eye, as with a few."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest

from tests.page import made
from tests.page.browser import Browser

pytestmark = pytest.mark.extended

_FEW, _MANY = 50, 5_000
_ROUNDS = 5

# How long it takes until the first rows are there, from the moment that the page is asked for.
_WATCH = """
new MutationObserver((_, observer) => {
  if (!document.querySelector("#list > li")) return;
  window.firstRowsAfter = performance.now();
  observer.disconnect();
}).observe(document, {childList: true, subtree: true});
"""
# How long it takes to filter, with the layout that follows.
_FILTER = """
const field = document.querySelector("[name=text]");
const started = performance.now();
field.value = arguments[0];
field.dispatchEvent(new InputEvent("input", {bubbles: true}));
document.body.getBoundingClientRect();
return performance.now() - started;
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    return {
        count: made.written(tmp_path_factory.mktemp(f"of-{count}"), made.facts(made.history(count)))
        for count in (_FEW, _MANY)
    }


def test_a_hundred_times_the_releases_is_not_a_hundred_times_the_file(
    pages: dict[int, Path],
) -> None:
    """What repeats is in it once: a layer's two hundred files among them."""
    few, many = (pages[count].stat().st_size for count in (_FEW, _MANY))
    assert many < 1_200 * _MANY and many < 60 * few


def test_the_first_rows_and_the_filter_stay_quick(browser: Browser, pages: dict[int, Path]) -> None:
    """Both are told as ratios, of medians that were taken in turn."""
    watch = browser.driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": _WATCH}
    )
    rows: dict[int, list[float]] = {count: [] for count in pages}
    filters: dict[int, list[float]] = {count: [] for count in pages}
    for _ in range(_ROUNDS):
        for count, page in pages.items():
            browser.open(page)
            rows[count].append(browser.run("return window.firstRowsAfter"))
            for text in ("pymongo", "ada", "4", "nobody wrote this", ""):
                filters[count].append(browser.run(_FILTER, text))
    browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", watch)
    print({count: (median(rows[count]), median(filters[count])) for count in pages})
    assert median(rows[_MANY]) < 12 * median(rows[_FEW])
    assert median(filters[_MANY]) < 12 * median(filters[_FEW])


def test_the_charts_show_the_last_releases_or_all(browser: Browser, pages: dict[int, Path]) -> None:
    """So many points as are to be seen apart; with few releases nobody has to choose."""
    browser.open(pages[_MANY])
    for choice, count in (("", 200), ("the last 50", 50), ("all", _MANY)):
        if choice:
            browser.choose("#shown", choice)
        assert browser.points("layer") == count
    browser.open(pages[_FEW])
    assert browser.points("layer") == _FEW
    assert not browser.run("return document.querySelector('#shown').checkVisibility()")


def test_the_rest_comes_when_it_is_asked_for(browser: Browser, pages: dict[int, Path]) -> None:
    """A part of the list at a time; the keyboard goes on at the first of it."""
    browser.open(pages[_MANY])
    first = len(browser.texts("#list > li"))
    assert browser.text("#count") == "5,000 releases" and 10 <= first <= 100
    browser.click("#more")
    assert len(browser.texts("#list > li")) == 2 * first
    focus = "return document.activeElement.closest('details').id"
    assert browser.run(focus) == f"release-{_MANY - first}"
    browser.type("[name=text]", "#4321")
    assert browser.texts("#list summary .number") == ["4321"]
