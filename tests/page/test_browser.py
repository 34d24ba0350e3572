"""The release page in a browser: it shows, filters, compares, and has the rollback commands."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from pipeline.report.release_page.collect import ReleaseHistory
from pipeline.release.outcome import how_to_roll_back
from pipeline.release import state
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
    """Which release, as which version, by whom, how its calls ended, and what rolls back."""
    browser.open(page)
    assert page_history.serving and page_history.serving.number == _COUNT - 1
    text = browser.text("#live")
    assert "#29" in text and "v29\n" in text and page_history.serving.actor in text
    assert "Subject of the commit of 29" in text and str(page_history.serving.reason) in text
    assert "First 1,000 calls: 3 errors (0.30 %), p95 9.0 ms, 88 MB of memory at most" in text
    assert browser.texts("#live .badge") == ["Live"]
    assert f"Roll back to #{page_history.way_back}" in text
    github, desk = how_to_roll_back(factories.PRODUCTION, page_history.way_back)
    assert browser.texts("#live .command code")[0] == github
    browser.click("#live .desk summary")
    assert browser.texts("#live .command code") == [github, desk]
    assert "The newest release, #30 by ada, failed." in text
    links = browser.run("return [...document.querySelectorAll('.links a')].map(each => each.href)")
    assert links == ["https://api.example.com/", page_history.serving.run]


def test_nothing_long_comes_before_the_list(browser: Browser, page: Path) -> None:
    """A phone's first screen has the beginning of the list; what is long comes after it."""
    browser.open(page, (390, 844))
    top = "return document.querySelector(arguments[0]).getBoundingClientRect().top"
    assert browser.run(top, "#list") < 844
    assert browser.run(top, "#list") < browser.run(top, "#charts") < browser.run(top, "#choice")


def test_the_newest_release_is_the_first_of_the_list(browser: Browser, page: Path) -> None:
    browser.open(page)
    numbers = browser.texts("#list summary .number")
    assert numbers == [f"#{number}" for number in range(_COUNT, _COUNT - len(numbers), -1)]
    assert browser.texts("#list .badge.live") == ["Live"]


def test_only_what_is_live_has_a_colour_and_what_was_rolled_back_is_amber(
    browser: Browser, page: Path
) -> None:
    browser.open(page)
    browser.click("#more")
    states = browser.run(
        "return Object.fromEntries([...document.querySelectorAll('#list details')].map((each) =>"
        "  [each.id.slice(8), [each.querySelector('.badge').innerText,"
        "    getComputedStyle(each).borderInlineStartColor]]))"
    )
    names = {number: name for number, (name, _) in states.items()}
    assert [names[str(number)] for number in (30, 29, 28, 23, 22, 21)] == [
        *("Failed", "Live", "Superseded", "Superseded", "Failed", "Rolled back")
    ]
    colours: dict[str, set[str]] = {}
    for name, colour in states.values():
        colours.setdefault(name, set()).add(colour)
    grey = colours["Superseded"]
    assert len(grey) == 1 and grey == colours["Failed"]
    assert grey != colours["Live"] != colours["Rolled back"] != grey


def test_a_deployment_and_a_rollback_have_pictures_with_names(browser: Browser, page: Path) -> None:
    browser.open(page)
    name = "return document.querySelector(arguments[0]).getAttribute('aria-label')"
    assert browser.run(name, "#release-23 .icon") == "Rollback"
    assert browser.run(name, "#release-24 .icon") == "Deployment"


def test_a_row_has_age_duration_commit_person_and_difference(
    browser: Browser, tmp_path: Path
) -> None:
    """The age is computed when the page is open; the time itself is in the element."""
    ended = datetime.now(UTC) - timedelta(minutes=12)
    began = ended - timedelta(seconds=12)
    newest = factories.release(26, began=began.isoformat(), ended=ended.isoformat())
    page_history = factories.page_history([newest, factories.release(25)])
    browser.open(factories.written(tmp_path, page_history))
    assert browser.text("#release-26 .title") == "#26 Subject of the commit of 26"
    [items] = browser.texts("#release-26 .meta")
    assert newest.commit
    # The phases before the release was recorded count.
    assert items.split("\n") == [
        *("v26", "12 min ago", "took 1 min 30 s", newest.actor, newest.commit[:7]),
        "lambda_function.py +8 −1 lines, pymongo 4.19.0 → 4.20.0, "
        "1 file added, 1 file removed, 20 files changed",
    ]
    time = "const at = document.querySelector('#release-26 time'); return [at.dateTime, at.title]"
    assert browser.run(time) == [f"{ended:%Y-%m-%dT%H:%M:%S}Z", f"{ended:%Y-%m-%d %H:%M} UTC"]
    browser.unfold()
    detail = browser.text("#release-26 .detail")
    assert f"{ended - timedelta(seconds=90.0):%Y-%m-%d %H:%M} UTC" in detail
    assert f"{ended:%Y-%m-%d %H:%M} UTC, took 1 min 30 s" in detail


def test_an_older_record_without_a_subject_has_its_reason(browser: Browser, tmp_path: Path) -> None:
    older = factories.release(1, subject=None, reason="the first one")
    browser.open(factories.written(tmp_path, factories.page_history([older])))
    assert browser.text("#release-1 .title") == "#1 the first one"
    assert browser.texts("#release-1 .reason") == []


def test_a_tree_with_changes_is_not_taken_for_its_commit(browser: Browser, tmp_path: Path) -> None:
    """There is no comparison of commits to link to: GitHub does not have the changes."""
    old, new = factories.release(1), factories.release(2, commit="c0ffee" * 6 + "+changes")
    browser.open(factories.written(tmp_path, factories.page_history([new, old])), at="#release-2")
    assert "c0ffeec+changes" in browser.text("#release-2 .meta")
    links = browser.run("return [...document.querySelectorAll('#release-2 a')].map(a => a.href)")
    assert f"https://github.com/octo-org/mongo-client/commit/{'c0ffee' * 6}" in links
    assert not any("/compare/" in link for link in links)


def test_the_lines_that_differ_are_on_the_page_or_one_link_away(
    browser: Browser, page: Path, tmp_path: Path
) -> None:
    """A page with a repository behind it links to GitHub, which knows who may read the source."""
    browser.open(page, at="#release-28")
    old, new = (factories.release(number).commit for number in (27, 28))
    links = browser.run("return [...document.querySelectorAll('#release-28 a')].map(a => a.href)")
    assert f"https://github.com/octo-org/mongo-client/compare/{old}...{new}" in links
    assert "@@ -1 +1 @@" not in page.read_text()
    local = [factories.release(number, run=None) for number in (2, 1)]
    browser.open(factories.written(tmp_path, factories.page_history(local)), at="#release-2")
    assert browser.text("#release-2 .diff").splitlines()[:3] == ["@@ -1 +1 @@", "-old", "+new"]


def test_an_open_release_shows_everything(
    browser: Browser, page: Path, page_history: ReleaseHistory
) -> None:
    """Outcome, actor, commit, reason, phases, what was unusual, what is in quarantine."""
    browser.open(page, at="#release-13")
    failed = next(release for release in page_history.releases if release.number == 22)
    browser.click("#release-22 summary")
    browser.wait("document.querySelector('#release-22 .detail').firstChild")
    message = browser.text("#release-22")
    for text in (failed.actor, failed.commit, failed.reason, failed.error, failed.bundle):
        assert text and text in message
    assert "Failed" in message and "Ended" in message and ", took 1 min 30 s" in message
    phases = "#release-22 [aria-label=Phases] tbody tr"
    rows = [row.split() for row in browser.texts(phases)]
    assert rows[0] == ["inspect", "0.4"] and rows[7] == ["record", "22.1"]
    assert "all at once" in browser.text("#release-17 summary")
    assert "In quarantine" in browser.text("#release-13 summary")
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
    browser.choose("[name=kind]", "Rollbacks")
    assert browser.texts("#list summary .number") == ["#23", "#15"]
    browser.choose("[name=outcome]", "Failed")
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
    for chart, count in (
        ("errors", 16),
        ("p95", 16),
        ("init", 16),
        ("function", 30),
        ("layer", 30),
    ):
        assert browser.points(chart) == count, chart
    assert len(page_history.figures) == 16
    order = "return [...document.querySelectorAll('figure')].map((each) => each.id)"
    assert browser.run(order)[:2] == ["chart-errors", "chart-p95"]
    assert "14 of 30 releases have no figure" in browser.text("#chart-init")
    assert "14 of 30 releases have no figure" in browser.text("#chart-errors")
    assert "no figure" not in browser.text("#chart-layer")


def test_a_chart_begins_at_zero_and_a_package_says_by_how_much_it_grew(
    browser: Browser, tmp_path: Path
) -> None:
    """Sizes that are alike look alike; what is always 0 has a scale all the same."""
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
    assert browser.run(lines, "#chart-function line + text") == ["0 B", "13.3 KB"]
    assert browser.run(lines, "#chart-errors line + text") == ["0 %", "1.00 %"]
    heights = "return document.querySelector('#chart-function .line').getAttribute('d')"
    first, last = [float(each.split()[1]) for each in browser.run(heights)[1:].split("L")]
    assert abs(first - last) < 1
    assert browser.text("#chart-function .readout") == "#2, deployment: 13.3 KB, +64 B"


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
    assert len(rows) == 2 * _COUNT
    assert rows[0].split("\t") == ["#30", "0 %", "9.0 ms", "170 ms", "1,000"]
    assert rows[_COUNT - 1].split("\t") == ["#1", "–", "–", "–", "–"]
    browser.run("document.querySelector('#chart-init .plot').focus()")
    value = "return document.activeElement.getAttribute('aria-valuetext')"
    assert browser.run(value) == "#30, deployment: 170 ms"
    browser.press(Keys.ARROW_LEFT)
    assert browser.run(value) == "#29, deployment: 157 ms"
    browser.press(Keys.HOME)
    assert browser.run(value).startswith("#15, rollback to #12: ")
    browser.press(Keys.ENTER)
    browser.wait("document.querySelector('#release-15').open")


def test_any_two_releases_can_be_compared(browser: Browser, page: Path) -> None:
    """Files of both packages, dependencies, runtime, handler, architecture."""
    browser.open(page)
    browser.type("[name=old]", "#25")
    browser.type("[name=new]", "26")
    browser.click("#choice button")
    # The layer of release 26 is the second one: every tenth file changed, one came and one went.
    assert browser.text("#verdict") == (
        "From #25 to #26: lambda_function.py +8 −1 lines, pymongo 4.19.0 → 4.20.0, "
        "1 file added, 1 file removed, 20 files changed."
    )
    rows = browser.texts("#difference tbody tr")
    assert any(row.startswith("python/pymongo/part_101.py\tadded\t") for row in rows)
    assert any(row.startswith("python/pymongo/part_102.py\tremoved\t") for row in rows)
    assert "lambda_function.py\tchanged\t+8 −1 lines" in rows
    change = next(row for row in rows if row.startswith("python/pymongo/part_110.py"))
    assert re.fullmatch(r".*\tchanged\t[+−][\d,]+ B", change)
    assert "pymongo\t4.19.0\t4.20.0" in rows and "Runtime\tpython3.13\tpython3.13" in rows
    browser.type("[name=new]", "99")
    browser.click("#choice button")
    assert browser.text("#verdict") == "There is no release #99."
    assert browser.texts("#difference tr") == []


def test_a_change_of_a_bundles_platform_is_reported(browser: Browser, tmp_path: Path) -> None:
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
    assert "From #25, which served before: lambda_function.py +8 −1 lines" in browser.text(
        "#release-26"
    )
    rows = browser.texts("#release-26 .files tbody tr")
    assert len(rows) == 1 + 199
    ways = [row.split("\t")[3] for row in rows]
    assert (ways.count("same"), ways.count("added"), ways.count("changed")) == (178, 1, 21)


def test_the_way_back_can_be_copied(
    browser: Browser, page: Path, page_history: ReleaseHistory
) -> None:
    """To each release that can be restored, and to no other."""
    browser.open(page, at="#release-1")
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


def test_where_there_is_no_release_to_roll_back_to_the_page_says_why(
    browser: Browser, tmp_path: Path
) -> None:
    first, second = factories.release(1), factories.release(2)
    back = factories.release(3, kind="rollback", restores=1, bundle=first.bundle, version="1")
    third = factories.release(4)
    bad = {second.bundle: "it was slow", first.bundle: "it was wrong"}
    same = replace(second, bundle=first.bundle)
    for releases, quarantined, why in (
        ([first], {}, "#1 is the first release that succeeded."),
        ([back, second, first], {second.bundle: "slow"}, "#1 is the first release that succeeded."),
        ([third, second, first], bad, "#2, #1 are in quarantine. A person can restore a release"),
        ([same, first], {}, "#1 has the same bundle, and only other settings."),
    ):
        page_history = factories.page_history(releases, way_back=None, quarantined=quarantined)
        browser.open(factories.written(tmp_path, page_history))
        assert f"No release to roll back to. {why}" in browser.text("#live")
        assert browser.texts("#live .command") == []


def test_what_is_not_as_it_was_released_is_named_as_status_names_it(
    browser: Browser, tmp_path: Path
) -> None:
    """Somebody may have moved live, and nothing may serve at all: sentence, command, other way."""
    releases = factories.history(3)
    for live, text in (
        (Live("2", (), "r"), "v2\n"),
        (Live("9", (), "r"), "v9 gets the traffic, and no release has it."),
        (None, "Nothing is live."),
    ):
        seen = observed(live, *releases)
        [moved] = [each for each in state.find(seen) if each.name == "live-moved"]
        page_history = factories.page_history(
            releases, found=seen.serving, states=(moved,), way_back=None
        )
        browser.open(factories.written(tmp_path, page_history))
        text_of_page = browser.text("#live")
        assert (
            f"live-moved: {moved.sentence}. Believe the ledger." in text_of_page
            and text in text_of_page
        )
        assert browser.texts("#live .notice .command code") == [moved.command]
        assert f"Or {moved.otherwise}" in text_of_page or not moved.otherwise
        assert (
            "No release to roll back to. First decide which version is to serve" in text_of_page
            or (text != "v2\n")
        )
        assert browser.complaints() == []


def test_a_canary_at_work_has_its_share_of_the_traffic(browser: Browser, tmp_path: Path) -> None:
    newest = factories.release(4, outcome="under way", ended=None, version=None)
    releases = [newest, *factories.history(3)]
    found = factories.found(releases, Live("3", (("4", 0.1),), "r"))
    browser.open(factories.written(tmp_path, factories.page_history(releases, found=found)))
    assert browser.texts(".traffic li") == ["90 % v3, #3", "10 % v4, #4"]
    widths = "return [...document.querySelectorAll('.shares span')].map((each) => each.clientWidth)"
    live, canary = browser.run(widths)
    assert 8 < live / canary < 10
    assert browser.text("#release-4 .badge") == "Canary 10 %"
    assert browser.text("#release-3 .badge") == "Live 90 %"
    assert "#4 by " in browser.text("#live") and "was under way when" in browser.text("#live")


@pytest.mark.parametrize("width", [320, 390])
def test_no_table_is_cut_off_on_a_phone(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, (width, 844), at="#release-26")
    browser.unfold()
    browser.click("#choice button")
    cut = browser.run(
        "return [...document.querySelectorAll('.scroll')]"
        ".filter((each) => each.scrollWidth > each.clientWidth)"
        ".map((each) => [each.getAttribute('aria-label'), each.scrollWidth, each.clientWidth])"
    )
    assert cut == []


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
    assert "not known, because a manifest is damaged or missing" in browser.text("#verdict")
    assert browser.complaints() == []
