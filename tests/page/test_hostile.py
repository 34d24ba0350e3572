"""Nothing that people write acts on the release page, and it reaches for nothing elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.report.release_page import data, html
from pipeline.bundle.manifest import File
from pipeline.markdown import one_line
from pipeline.report.release_page.collect import ReleaseHistory
from pipeline.timeline import Phase
from tests.page import factories
from tests.page.browser import Browser

pytestmark = pytest.mark.integration

_HOSTILE = [
    "</script><script>window.owned = 1</script>",
    "<!--<script>",
    "]]> --> <img src=x onerror='window.owned = 1'>",
    "<svg onload=window.owned=1> <iframe srcdoc='<script>parent.owned=1</script>'>",
    "javascript:window.owned=1",
    "\u2028window.owned = 1\u2029 \x00 \u202e",
    "'\"`${window.owned = 1}\\",
    "@@script@@ @@data@@ {release}",
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return factories.written(
        tmp_path_factory.mktemp("page"), factories.page_history(factories.history(23))
    )


def _told_by(text: str) -> ReleaseHistory:
    """Return facts in which all that people, files and AWS could bring is this text."""
    evil = factories.manifest(
        2, handler=text, runtime=text, dependencies={text: "1", "__proto__": text}
    )
    function = replace(evil.function, files=(File(text, 1, "00" * 32),))
    evil = replace(evil, function=function)
    words: dict[str, Any] = {"actor": text, "reason": text, "commit": text, "error": text}
    words |= {"run": text, "overrides": (text,), "phases": (Phase(text, 1.0),)}
    release = factories.release(2, bundle=evil.id, **words)
    page_history = factories.page_history([factories.release(3), release, factories.release(1)])
    manifests = {**page_history.manifests, evil.id: evil}
    return replace(page_history, manifests=manifests, quarantined={evil.id: one_line(text)})


@pytest.mark.parametrize("text", _HOSTILE)
def test_nothing_that_people_write_acts(browser: Browser, tmp_path: Path, text: str) -> None:
    """The page shows it as text; no element, link or script results."""
    browser.open(factories.written(tmp_path, _told_by(text)))
    elements = "return document.querySelectorAll('script, img, iframe, object, link').length"
    assert browser.run(elements) == 2
    browser.unfold()
    browser.type("[name=old]", "1")
    browser.type("[name=new]", "2")
    browser.click("#choice button")
    assert browser.run("return window.owned") is None
    assert browser.run(elements) == 2
    displayed = one_line(text)
    assert browser.run("return byNumber.get(2).reason") == displayed
    assert browser.texts("#release-2 .reason") == [displayed]
    assert displayed in browser.text("#release-2 pre") and displayed in browser.text("#difference")
    targets = "return [...document.links].map((each) => each.href.split(':')[0])"
    assert set(browser.run(targets)) <= {"file", "https"}
    assert browser.complaints() == []


@pytest.mark.parametrize("text", [*_HOSTILE, "\ud800"])
def test_no_text_ends_the_element_that_the_data_is_in(text: str) -> None:
    """All but ASCII is escaped, and so is what opens a tag; it reads back as it was."""
    message = html.in_script({text: [text]})
    assert message.isascii() and "<" not in message
    assert json.loads(message) == {text: [text]}


def test_no_credential_is_on_the_page() -> None:
    """Whoever wrote it into a reason, or an error that quotes it."""
    secret = "cannot reach mongodb://app:" + "hunter2correct" + "@db.internal/"
    words = {"actor": secret, "reason": secret, "commit": secret, "error": secret, "run": secret}
    page_history = factories.page_history([factories.release(1, **words, overrides=(secret,))])
    text = html.page(factories.PRODUCTION, data.document(page_history))
    assert "hunter2" not in text and text.count("looks like a credential") == 6


def test_it_needs_nothing_from_elsewhere_and_complains_of_nothing(
    browser: Browser, page: Path
) -> None:
    """No request but for the file itself, no error, nothing that its own policy forbids."""
    browser.open(page)
    browser.unfold()
    browser.click("#choice button")
    assert browser.requests() == [page.as_uri()]
    assert browser.complaints() == []


def test_its_policy_lets_no_other_script_run(browser: Browser, page: Path) -> None:
    """Even if something got markup onto it."""
    browser.open(page)
    browser.run(
        "const script = document.createElement('script'); script.textContent = 'window.owned = 1';"
        "document.body.append(script)"
    )
    assert browser.run("return window.owned") is None
    [complaint] = browser.complaints()
    assert "Content Security Policy" in complaint
