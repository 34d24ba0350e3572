"""function.toml: what it may hold, and how a mistake in it is reported."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import UsageError


class Field(NamedTuple):
    """A key: the type of its value, its default (None: it is required), and what strings match.

    In a list or a table, each string has to match. Without a pattern no value is looked at. `form`
    describes the pattern to people.
    """

    kind: type
    default: Any
    pattern: str = ""
    form: str = ""


_PATH = r"(?!/)(?!(.*/)?\.\.(/|$))[^\\]+"  # inside the repository, relative to its root

# The longest name made of `name` is that of the state's bucket: <name>-terraform-state-<account>,
# of 63 characters at most ("General purpose bucket naming rules", Amazon S3 user guide).
FUNCTION: Mapping[str, Field] = {
    "name": Field(str, None, r"[a-z][a-z0-9-]{1,32}[a-z0-9]"),
    "description": Field(str, "", r".{0,256}"),
    "handler": Field(
        str, None, r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", "module.function, or package.module.function"
    ),
    "runtime": Field(str, None, r"python3\.\d+"),
    "architecture": Field(str, None, r"x86_64|arm64"),
    "source": Field(str, ".", _PATH),
    "files": Field(list, [], _PATH),
    "routes": Field(list, [], r"(ANY|GET|HEAD|POST|PUT|PATCH|DELETE) /[^\s?#]+"),
    "secrets": Field(list, [], r"[a-z][a-z0-9-]*"),
    "layer": Field(dict, {}),
    "smoke": Field(list, []),
    "allow": Field(list, []),
}
LAYER: Mapping[str, Field] = {
    "name": Field(str, None, r"[a-z][a-z0-9-]{0,30}"),
    "requirements": Field(str, "layer/requirements.txt", _PATH),
    "exclude": Field(list, [], r".+"),
    "stubs": Field(dict, {}, _PATH),
    "bytecode_only": Field(bool, False),
}
_SMOKE: Mapping[str, Field] = {
    "request": Field(
        str, None, r"(GET|POST|PUT|PATCH|DELETE) /\S*", "a method and a path: GET /api/orders"
    ),
    "status": Field(int, None),
    "body": Field(dict, {}),
    "holds": Field(dict, {}),
    "canary": Field(bool, False),
}
_ALLOW: Mapping[str, Field] = {
    name: Field(str, None, r".*\S.*") for name in ("rule", "file", "reason")
}
_KINDS = {
    str: "a string",
    int: "a whole number",
    list: "a list",
    dict: "a table",
    bool: "true or false",
}


def read(path: Path) -> dict[str, Any]:
    """Return what the file holds, with defaults; raise UsageError if it is not what it must be."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}", "Correct the file.") from error
    function = _checked(content, FUNCTION, f"{path.name}: ")
    if function["layer"]:
        function["layer"] = _checked(function["layer"], LAYER, f"{path.name}: layer.")
    for number, table in enumerate(function["smoke"], start=1):
        place = f"{path.name}: [[smoke]] {number}: "
        status = _checked(table, _SMOKE, place)["status"]
        if status not in range(100, 600):
            raise UsageError(f"{place}status is {status}", "It must be an HTTP status: 100 to 599.")
    function["allow"] = [
        _checked(table, _ALLOW, f"{path.name}: [[allow]] {number}: ")
        for number, table in enumerate(function["allow"], start=1)
    ]
    return function


def _checked(table: Any, fields: Mapping[str, Field], place: str) -> dict[str, Any]:
    """Return the table with defaults; raise UsageError, which names the key after `place`."""
    if not isinstance(table, dict):
        raise UsageError(f"{place}{table!r} is not a table", f"Its keys: {', '.join(fields)}.")
    if unknown := table.keys() - fields.keys():
        raise UsageError(
            f"{place}unknown key {min(unknown)!r}", f"Known keys: {', '.join(fields)}."
        )
    for name, field in fields.items():
        value = table.get(name, field.default)
        what = f"{place}{name} is {'missing' if value is None else repr(value)}"
        if not isinstance(value, field.kind):
            raise UsageError(what, f"It must be {_KINDS[field.kind]}.")
        if not all(_matches(string, field.pattern) for string in _strings(value) if field.pattern):
            form = f"be {field.form}" if field.form else f"match the pattern {field.pattern}"
            within = "" if field.kind is str else "Each of them must be a string. "
            raise UsageError(what, f"{within}It must {form}.")
    return {name: table.get(name, field.default) for name, field in fields.items()}


def _strings(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else [value]


def _matches(value: object, pattern: str) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(pattern, value, re.ASCII))
