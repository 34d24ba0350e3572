"""The release page in a browser: it shows, filters, compares, and has the rollback commands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from pipeline.report.release_page.collect import ReleaseHistory
from pipeline.release import state
from pipeline.release.outcome import how_to_roll_back
from pipeline.traffic.alias import Live
from tests.support.environments import observed
from tests.page import factories
from tests.page.browser import Browser

pytestmark = pytest.mark.integration

_COUNT = 30


@pytest.fixture(scope="module")
def page_history() -> ReleaseHistory:
    return factories.page_history(factories.history(_COUNT))


@pytest.fixture(scope="module")
def page(page_history: ReleaseHistory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return factories.written(tmp_path_factory.mktemp("page"), page_history)


def test_what_is_live_comes_first(
    browser: Browser, page: Path, page_history: ReleaseHistory
) -> None:
    """Which release, as which version, by whom, and what goes back."""
    browser.open(page)
    assert page_history.serving and page_history.serving.number == _COUNT - 1
    text = browser.text("#live")
    assert "Release 29 serves, as version 29" in text and f"by {page_history.serving.actor}" in text
    assert "2026-03-10 20:31" in text and str(page_history.serving.reason) in text
    assert f"This goes back to release {page_history.way_back}:" in text
    assert browser.texts("#live .command code") == [
        *how_to_roll_back(factories.PRODUCTION, page_history.way_back)
    ]
    assert "The newest release, 30 by ada, failed." in text


def test_the_newest_release_is_the_first_of_the_list(browser: Browser, page: Path) -> None:
    browser.open(page)
    numbers = browser.texts("#list summary .number")
    assert numbers == [str(number) for number in range(_COUNT, 0, -1)]
    assert browser.texts("#list .badge.live") == ["live"]


def test_a_release_tells_everything_when_it_is_opened(
    browser: Browser, page: Path, page_history: ReleaseHistory
) -> None:
    """Outcome, actor, commit, reason, phases, what was unusual, what is in quarantine."""
    browser.open(page)
    failed = next(release for release in page_history.releases if release.number == 22)
    browser.click("#release-22 summary")
    browser.wait("document.querySelector('#release-22 .detail').firstChild")
    message = browser.text("#release-22")
    for text in (failed.actor, failed.commit, failed.reason, failed.error, failed.bundle):
        assert text and text in message
    assert "✕ failed" in message and "ended" in message.lower() and "after 1 min 23 s" in message
    rows = browser.texts("#release-22 table tbody tr")
    assert rows[0].split() == ["inspect", "0.4"] and rows[7].split() == ["record", "22.1"]
    assert "all at once" in browser.text("#release-17 summary")
    assert "in quarantine" in browser.text("#release-13 summary")
    browser.click("#release-13 summary")
    browser.wait("document.querySelector('#release-13 .detail').firstChild")
    assert "was rolled back in production by ada" in browser.text("#release-13 .detail")


def test_the_filter_leaves_what_fits_and_says_how_many(browser: Browser, page: Path) -> None:
    """By text, kind and outcome, together; the number is announced."""
    browser.open(page)
    assert browser.text("#count") == "30 releases"
    assert browser.run("return document.querySelector('#count').getAttribute('role')") == "status"
    browser.type("[name=text]", "PYMONGO 4.20")
    assert set(browser.texts("#list .reason")) == {"pymongo 4.20.0"}
    count = len(browser.texts("#list > li"))
    assert 0 < count < 30 and browser.text("#count") == f"{count} of 30 releases"
    browser.type("[name=text]", "")
    browser.press(Keys.SPACE)  # the driver empties a field without an event
    browser.choose("[name=kind]", "rollbacks")
    assert browser.texts("#list summary .number") == ["23", "15"]
    browser.choose("[name=outcome]", "failed")
    assert browser.texts("#list > li") == [] and browser.text("#count") == "0 of 30 releases"


def test_a_link_to_a_release_opens_it_whatever_the_filter_hides(
    browser: Browser, page: Path
) -> None:
    browser.open(page, at="#release-3")
    assert browser.run("return document.querySelector('#release-3').open")
    browser.type("[name=text]", "nobody wrote this")
    assert browser.texts("#list > li") == []
    browser.click("#live .headline a")
    browser.wait("document.querySelector('#release-29')?.open")
    focus = "return document.activeElement.closest('details').id"
    assert browser.run(focus) == "release-29"


def test_each_chart_has_a_point_for_each_release_with_a_figure(
    browser: Browser, page: Path, page_history: ReleaseHistory
) -> None:
    browser.open(page)
    for chart, count in (("function", 30), ("layer", 30), ("init", 16), ("errors", 16)):
        assert browser.points(chart) == count, chart
    assert len(page_history.figures) == 16
    assert "14 of 30 releases have no figure" in browser.text("#chart-init")
    assert "14 of 30 releases have no figure" in browser.text("#chart-errors")
    assert "no figure" not in browser.text("#chart-layer")


def test_the_lines_of_a_chart_are_called_differently(browser: Browser, tmp_path: Path) -> None:
    """However alike the sizes are; and what is always 0 has a scale of round figures."""
    releases = factories.history(2)
    manifests = {
        each.bundle: replace(manifest, function=replace(manifest.function, size_bytes=size))
        for each, size in zip(releases, (13_286, 13_222), strict=True)
        for manifest in [factories.manifest(each.number)]
    }
    figures = {
        release.number: replace(factories.figures(release.number), errors=0) for release in releases
    }
    browser.open(
        factories.written(
            tmp_path, factories.page_history(releases, manifests=manifests, figures=figures)
        )
    )
    lines = "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)"
    sizes = browser.run(lines, "#chart-function line + text")
    assert len(set(sizes)) == 3 and sizes[1] == "13.25 KB"
    assert browser.run(lines, "#chart-errors line + text") == ["0 %", "0.50 %", "1.00 %"]


@pytest.mark.parametrize("width", [320, 390])
def test_a_line_of_a_command_ends_between_words(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, (width, 800))
    rows = (
        "return [...document.querySelectorAll('#live .command span')]"
        ".map((each) => each.getClientRects().length)"
    )
    assert set(browser.run(rows)) == {1}
    assert browser.run("return document.documentElement.scrollWidth") == width


def test_the_figures_are_there_without_the_pictures(
    browser: Browser, page: Path, page_history: ReleaseHistory
) -> None:
    """As a table, and read out along each chart with the arrow keys."""
    browser.open(page)
    browser.click("#numbers summary")
    browser.wait("document.querySelector('#numbers table')")
    rows = browser.texts("#numbers tbody tr")
    assert len(rows) == _COUNT
    assert rows[0].split("\t")[-3:] == ["170 ms", "0 %", "1,000"]
    assert rows[-1].split("\t")[-3:] == ["not known"] * 3
    browser.run("document.querySelector('#chart-init .plot').focus()")
    value = "return document.activeElement.getAttribute('aria-valuetext')"
    assert browser.run(value) == "Release 30, deployment: 170 ms"
    browser.press(Keys.ARROW_LEFT)
    assert browser.run(value) == "Release 29, deployment: 157 ms"
    browser.press(Keys.HOME)
    assert browser.run(value).startswith("Release 15, rollback to 12: ")
    browser.press(Keys.ENTER)
    browser.wait("document.querySelector('#release-15').open")


def test_any_two_releases_can_be_compared(browser: Browser, page: Path) -> None:
    """Files of both packages, dependencies, runtime, handler, architecture."""
    browser.open(page)
    browser.type("[name=old]", "25")
    browser.type("[name=new]", "26")
    browser.click("#choice button")
    # The layer of release 26 is the second one: every tenth file changed, one came and one went.
    assert browser.text("#verdict") == (
        "From release 25 to release 26: 1 file added, 1 file removed, 21 files changed, "
        "pymongo 4.19.0 → 4.20.0."
    )
    rows = browser.texts("#difference tbody tr")
    assert any(row.startswith("python/pymongo/part_101.py\tadded\t–\t") for row in rows)
    assert any(row.startswith("python/pymongo/part_102.py\tremoved\t") for row in rows)
    assert any(row.startswith("lambda_function.py\tchanged\t") for row in rows)
    assert "pymongo\t4.19.0\t4.20.0" in rows and "Runtime\tpython3.13\tpython3.13" in rows
    browser.type("[name=new]", "99")
    browser.click("#choice button")
    assert browser.text("#verdict") == "There is no release 99."
    assert browser.texts("#difference tr") == []


def test_a_change_of_what_a_bundle_is_meant_for_is_told(browser: Browser, tmp_path: Path) -> None:
    old, new = factories.release(1), factories.release(2)
    other = factories.manifest(1, runtime="python3.12", handler="old.handler", architecture="arm64")
    page_history = factories.page_history([new, replace(old, bundle=other.id)])
    page_history = replace(page_history, manifests={**page_history.manifests, other.id: other})
    browser.open(factories.written(tmp_path, page_history))
    browser.click("#choice button")
    text = browser.text("#verdict")
    assert "runtime python3.12 → python3.13" in text and "architecture arm64 → x86_64" in text
    assert "handler old.handler → lambda_function.lambda_handler" in text


def test_every_file_of_a_release_is_listed_with_what_became_of_it(
    browser: Browser, page: Path
) -> None:
    browser.open(page, at="#release-26")
    browser.unfold()
    assert "Against release 25, which served before: 1 file added" in browser.text("#release-26")
    rows = browser.texts("#release-26 .files tbody tr")
    assert len(rows) == 1 + 199
    ways = [row.split("\t")[3] for row in rows]
    assert (ways.count("same"), ways.count("added"), ways.count("changed")) == (178, 1, 21)


def test_the_way_back_can_be_copied(
    browser: Browser, page: Path, page_history: ReleaseHistory
) -> None:
    """To each release that can be restored, and to no other."""
    browser.open(page)
    permissions = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    browser.driver.execute_cdp_cmd("Browser.grantPermissions", permissions)
    browser.unfold()
    for release in page_history.releases:
        text = browser.texts(f"#release-{release.number} .command code")
        earlier = release.outcome == "succeeded" and release.number < _COUNT - 1
        expected = how_to_roll_back(factories.PRODUCTION, release.number) if earlier else ()
        assert text == list(expected), release.number
    browser.run("document.querySelector('#release-12 .command button').focus()")
    browser.press(Keys.ENTER)
    browser.wait("document.querySelector('#toast').textContent")
    assert browser.text("#toast").startswith("Copied.")
    copied = browser.driver.execute_async_script(
        "navigator.clipboard.readText().then(arguments[0], (error) => arguments[0](String(error)))"
    )
    assert copied == how_to_roll_back(factories.PRODUCTION, 12)[0]


def test_the_first_release_has_nothing_to_go_back_to(browser: Browser, tmp_path: Path) -> None:
    browser.open(factories.written(tmp_path, factories.page_history(factories.history(1))))
    assert "There is no release to go back to." in browser.text("#live")
    assert browser.texts("#live .command") == []


def test_where_live_and_the_ledger_disagree_the_page_says_so(
    browser: Browser, tmp_path: Path
) -> None:
    """In the words of `status`, with its command; and nothing may serve at all."""
    history = factories.history(3)
    page_history = factories.page_history(history)
    for live, word in (
        (Live("2", (), "r"), "live-moved: somebody moved live: v2 of #2 serves all calls; by"),
        (Live("3", (("4", 0.1),), "r"), "v3 of #3 gets 90 %, v4, which no release has, gets 10 %"),
        (Live("9", (), "r"), "Live points to version 9, which no release has."),
        (None, "live-moved: the alias live is gone; by the ledger, v3 of #3 serves."),
    ):
        states = state.find(observed(live, *history))
        moved = replace(page_history, live=live, states=states)
        browser.open(factories.written(tmp_path, moved))
        text = browser.text("#live")
        assert word in text and all(each.command in text for each in states)
        assert browser.complaints() == []


def test_an_environment_without_a_release_has_a_page_too(browser: Browser, tmp_path: Path) -> None:
    browser.open(factories.written(tmp_path, factories.page_history([])))
    assert "Nothing was released to production yet." in browser.text("#live")
    assert browser.text("#count") == "0 releases" and browser.complaints() == []


def test_a_bundle_whose_manifest_is_gone_leaves_a_gap(browser: Browser, tmp_path: Path) -> None:
    """It cannot be compared, nor restored, and everything else is there."""
    page_history = factories.page_history(factories.history(3))
    kept = {
        key: value
        for key, value in page_history.manifests.items()
        if key != factories.manifest(2).id
    }
    browser.open(factories.written(tmp_path, replace(page_history, manifests=kept)))
    browser.unfold()
    assert "damaged in the store, or missing" in browser.text("#release-2")
    assert browser.texts("#release-2 .command") == [] != browser.texts("#release-1 .command")
    assert "1 of 3 releases has no figure" in browser.text("#chart-layer")
    browser.click("#choice button")
    assert "not known, for a manifest is damaged or missing" in browser.text("#verdict")
    assert browser.complaints() == []
