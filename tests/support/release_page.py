"""The data of a written release page, read back from the file."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path
from typing import Any


def read(page: Path) -> dict[str, Any]:
    """Return the data that is in a page."""
    return _parse(page.read_text("utf-8"))


def read_site(artifact: Path) -> dict[str, Any]:
    """Return the data of the page of a site, which was packed for GitHub Pages."""
    with tarfile.open(artifact / "artifact.tar") as site:
        [page] = [each for each in site.getmembers() if each.isfile()]
        assert page.name == "./index.html"
        content = site.extractfile(page)
        assert content
        return _parse(content.read().decode())


def _parse(page: str) -> dict[str, Any]:
    [data] = re.findall(r' id="data">(.*?)</script>', page)
    return dict(json.loads(data))
