"""The release page's file: template, style, script and data in one, and nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

from pipeline.config import Environment
from pipeline.config import SERVICE

_ASSETS = Path(__file__).parent / "assets"
# One script, in this order.
_SCRIPTS = ("page.js", "releases.js", "compare.js", "charts.js", "start.js")


def page(environment: Environment, data: dict[str, Any]) -> str:
    """Return the page as HTML, which runs this script, applies this style, and loads nothing."""
    style = (_ASSETS / "page.css").read_text("utf-8")
    script = "".join((_ASSETS / name).read_text("utf-8") for name in _SCRIPTS)
    parts = {
        "policy": (
            f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; "
            "base-uri 'none'; form-action 'none'"
        ),
        "title": html.escape(f"{SERVICE}: {environment.name}"),
        "style": style,
        "script": script,
        "data": in_script(data),
    }
    template = (_ASSETS / "page.html").read_text("utf-8")
    # In one pass: what is put in is not looked at again.
    return re.sub(r"@@(\w+)@@", lambda found: parts[found[1]], template)


def in_script(data: Any) -> str:
    """Return data as JSON that nothing in it can end, inside of a script element.

    All but ASCII is escaped, and so is what HTML would take for a tag or a comment:
    https://html.spec.whatwg.org/#restrictions-for-contents-of-script-elements
    """
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _source(text: str) -> str:
    """Return the source of a policy that allows just this text (https://www.w3.org/TR/CSP3/)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
