"""What a written release page tells, read back from the file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any


def told(page: Path) -> dict[str, Any]:
    """Return the data that is in a page."""
    [data] = re.findall(r' id="data">(.*?)</script>', page.read_text("utf-8"))
    return dict(json.loads(data))
