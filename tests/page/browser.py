"""A real browser, started for the tests of the release page, and short ways to use it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

# It starts nothing of its own that would need the network.
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_PATIENCE_S = 600

PHONE, DESK = (320, 640), (1280, 900)


@dataclass
class Browser:
    """One window of the browser."""

    driver: webdriver.Chrome

    def open(
        self, path: Path, size: tuple[int, int] = DESK, scheme: str = "light", at: str = ""
    ) -> None:
        """Open a page in a window of this size, and wait until all of it is drawn."""
        width, height = size
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        # Else an address that differs in its fragment alone would load nothing.
        self.driver.get("about:blank")
        self._log("browser")
        self._log("performance")
        self.driver.get(path.as_uri() + at)
        self.wait("document.querySelector('#figures-source').textContent")

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page; return what it returns."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition: str) -> None:
        """Wait until an expression holds in the page."""
        WebDriverWait(self.driver, _PATIENCE_S).until(lambda _: self.run(f"return {condition}"))

    def text(self, selector: str) -> str:
        """Return the text that people see in the first element."""
        return str(self.run("return document.querySelector(arguments[0]).innerText", selector))

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.innerText)"
        return list(self.run(script, selector))

    def click(self, selector: str) -> None:
        self.driver.find_element("css selector", selector).click()

    def type(self, selector: str, text: str) -> None:
        """Type into a field what replaces its content."""
        field = self.driver.find_element("css selector", selector)
        field.clear()
        field.send_keys(text)

    def choose(self, selector: str, option: str) -> None:
        """Choose an option of a list by its text, with the keyboard."""
        options = self.run(
            "const field = document.querySelector(arguments[0]); field.focus();"
            "return [...field.options].map((each) => each.text)",
            selector,
        )
        self.press(Keys.HOME, *[Keys.ARROW_DOWN] * options.index(option))

    def points(self, chart: str) -> int:
        """Return how many points a chart has: each is a path of its own in a path."""
        script = "return [...document.querySelectorAll(arguments[0])].map((dots) => dots.outerHTML)"
        return sum(each.count("M") for each in self.run(script, f"#chart-{chart} .dots"))

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def tab(self) -> str:
        """Go on to what the keyboard reaches next; return a name for it, "" at the end."""
        self.press(Keys.TAB)
        return str(self.run(_NAME_OF_FOCUS))

    def unfold(self) -> None:
        """Open every release in the list, and every list of files and figures."""
        for selector in ("details", "details"):  # the second time those within the first
            self.run(
                "for (const each of document.querySelectorAll(arguments[0])) each.open = true",
                selector,
            )
            self.wait("[...document.querySelectorAll('.detail')].every((each) => each.firstChild)")
        self.wait("[...document.querySelectorAll('.files')].every((each) => each.children[1])")
        self.wait("document.querySelector('#numbers div').firstChild")

    def complaints(self) -> list[str]:
        """Return what the browser wrote to its console: errors, and what a policy forbade."""
        return [record["message"] for record in self._log("browser")]

    def requests(self) -> list[str]:
        """Return the address of every request since the page was opened."""
        messages = [json.loads(record["message"])["message"] for record in self._log("performance")]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        """Return what a log says, and empty it."""
        return list(self.driver.get_log(kind))  # type: ignore[no-untyped-call]  # Selenium's


_NAME_OF_FOCUS = """
const element = document.activeElement;
if (element === document.body) return "";
const before = document.querySelectorAll("[data-seen]").length;
return element.dataset.seen ??= `${element.tagName} ${before}`;
"""


@contextmanager
def opened(chromium: str, chromedriver: str, profile: Path) -> Iterator[Browser]:
    """Start a browser with an empty profile; end it afterwards."""
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for option in (*_OPTIONS, f"--user-data-dir={profile}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    # axe takes a while when other tests run.
    driver.set_script_timeout(600)
    try:
        yield Browser(driver)
    finally:
        driver.quit()
