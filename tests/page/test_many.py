"""With many releases the page shows a part at a time, and stays quick with thousands."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import median

import pytest

from tests.page import factories
from tests.page.browser import Browser

pytestmark = pytest.mark.integration

# MANY is more than the charts and the list show at first.
_FEW, _MANY, _THOUSANDS = 50, 300, 5_000
_ROUNDS = 5

# How long it takes until the first rows are there, from the moment that the page is opened.
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
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Write the page of so many releases, once."""

    @cache
    def page(count: int) -> Path:
        page_history = factories.page_history(factories.history(count))
        return factories.written(tmp_path_factory.mktemp(f"of-{count}"), page_history)

    return page


@pytest.mark.extended
def test_a_hundred_times_the_releases_is_not_a_hundred_times_the_file(
    pages: Callable[[int], Path],
) -> None:
    """What repeats is in it once: a layer's two hundred files among them."""
    few, many = (pages(count).stat().st_size for count in (_FEW, _THOUSANDS))
    assert many < 1_200 * _THOUSANDS and many < 60 * few


@pytest.mark.extended
def test_the_first_rows_and_the_filter_stay_quick(
    browser: Browser, pages: Callable[[int], Path]
) -> None:
    """Compare the medians of rounds in which both pages were measured in turn."""
    watch = browser.driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": _WATCH}
    )
    rows: dict[int, list[float]] = {_FEW: [], _THOUSANDS: []}
    filters: dict[int, list[float]] = {_FEW: [], _THOUSANDS: []}
    for _ in range(_ROUNDS):
        for count in rows:
            browser.open(pages(count))
            rows[count].append(browser.run("return window.firstRowsAfter"))
            for text in ("pymongo", "ada", "4", "nobody wrote this", ""):
                filters[count].append(browser.run(_FILTER, text))
    browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", watch)
    print({count: (median(rows[count]), median(filters[count])) for count in rows})
    assert median(rows[_THOUSANDS]) < 12 * median(rows[_FEW])
    assert median(filters[_THOUSANDS]) < 12 * median(filters[_FEW])


def test_the_charts_show_the_last_releases_or_all(
    browser: Browser, pages: Callable[[int], Path]
) -> None:
    """So many points as are to be seen apart; with few releases nobody has to choose."""
    browser.open(pages(_MANY))
    for choice, count in (("", 200), ("the last 50", 50), ("all", _MANY)):
        if choice:
            browser.choose("#limit", choice)
        assert browser.points("layer") == count
    browser.open(pages(_FEW))
    assert browser.points("layer") == _FEW
    assert not browser.run("return document.querySelector('#limit').checkVisibility()")


def test_the_rest_comes_on_demand(browser: Browser, pages: Callable[[int], Path]) -> None:
    """A part of the list at a time; the keyboard goes on at the first of it."""
    browser.open(pages(_MANY))
    first = len(browser.texts("#list > li"))
    assert browser.text("#count") == f"{_MANY} releases" and 10 <= first <= 100
    browser.click("#more")
    assert len(browser.texts("#list > li")) == 2 * first
    focus = "return document.activeElement.closest('details').id"
    assert browser.run(focus) == f"release-{_MANY - first}"
    browser.type("[name=text]", "#234")
    assert browser.texts("#list summary .number") == ["#234"]
