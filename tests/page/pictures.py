"""make pictures: the README's pictures, of a demo that really ran."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.page.browser import Browser, opened
from scratch.source import ROOT

FOLDER = ROOT / "docs" / "pictures"
PAGE = ROOT / "page" / "demo"
RECORDING = "demo.svg"
DEMO = (sys.executable, "-m", "demo")
_PHONE, _DESK = (390, 844), (1100, 1195)
# Of each picture of the page: the window, the colours, and where in the page.
SHOTS = {
    "page-phone-light.png": (_PHONE, "light", ""),
    "page-phone-dark.png": (_PHONE, "dark", ""),
    "page-desk-light.png": (_DESK, "light", ""),
    "page-desk-dark.png": (_DESK, "dark", ""),
}

_COLUMNS = 112
# What fits on a screen, of all that the demo prints.
_RECORDED = ("Roll back", "What happened")


def play() -> str:
    """Run the demo, show its output as it comes, and return it, with its colours."""
    parts = []
    with subprocess.Popen(
        [*DEMO, "--page", str(PAGE)],
        cwd=ROOT,
        env=os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(_COLUMNS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        assert demo.stdout
        for line in demo.stdout:
            print(line, end="", flush=True)
            parts.append(line)
    if demo.returncode != 0:
        sys.exit(f"the demo exited {demo.returncode}: no picture was made")
    return "".join(parts)


def recording(output: str) -> str:
    """Return the sections of the demo's output that fit on a screen, as an SVG."""
    screen = Console(
        record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True, legacy_windows=False
    )
    # Where the checkout is, is nobody's business.
    output = output.replace(ROOT.as_uri(), "file://…").replace(str(ROOT), "…")
    parts = re.split(r"^(?=(?:\x1b\[[\d;]*m)*== )", output, flags=re.MULTILINE)
    for part in parts:
        text = Text.from_ansi(part.strip())
        if text.plain.removeprefix("== ").startswith(_RECORDED):
            screen.print(text, "", sep="\n", overflow="fold")
    # A constant id and no external font, so that only the text changes.
    drawn = screen.export_svg(title="make demo", unique_id="demo")
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)


def shoot(browser: Browser, page: Path, folder: Path) -> None:
    """Write the pictures of a release page into a folder."""
    browser.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    for name, (window, scheme, at) in SHOTS.items():
        browser.open(page, window, scheme, at)
        taken = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        (folder / name).write_bytes(base64.b64decode(taken["data"]))


def main() -> None:
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        sys.exit("chromium and chromedriver are needed: apt-get install chromium chromium-driver")
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / RECORDING).write_text(recording(play()), "utf-8")
    with tempfile.TemporaryDirectory() as profile:
        with opened(chromium, chromedriver, Path(profile)) as browser:
            shoot(browser, PAGE / "index.html", FOLDER)
    for path in sorted(FOLDER.iterdir()):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
