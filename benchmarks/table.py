"""The table: a row a figure, as Markdown for people and as JSON for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import Spread, spread_of

_HEADER = ("figure", "ours", "beside it", "ratio", "target", "met")

# Which unit a value is shown in, from its size in the unit that it is kept in, and how many of it.
_SHOWN: dict[str, tuple[tuple[float, str, float], ...]] = {
    "s": ((1.0, "s", 1.0), (1e-3, "ms", 1e3), (0.0, "µs", 1e6)),
    "bytes": ((1e6, "MB", 1e-6), (1e3, "KB", 1e-3), (0.0, "bytes", 1.0)),
}


@dataclass(frozen=True)
class Measured:
    """One contender's values in a unit (`s`, `bytes`, `1/s`), and the CPU seconds of each turn."""

    name: str
    unit: str
    values: tuple[float, ...]
    cpu_s: tuple[float, ...] = ()


@dataclass(frozen=True)
class Row:
    """One figure. `ratio` is what `ratio_of` says, of the same run; a row without has none.

    `met` is None where there is no target.
    """

    figure: str
    ours: Measured
    beside: tuple[Measured, ...]
    target: str = ""
    ratio: float | None = None
    ratio_of: str = ""
    met: bool | None = None
    notes: tuple[str, ...] = ()


def as_json(rows: Sequence[Row], facts: Mapping[str, str]) -> dict[str, Any]:
    """Return all that was measured: raw values, medians and the bounds of their middle halves."""
    return {"facts": dict(facts), "rows": [_row_as_json(row) for row in rows]}


def as_markdown(rows: Sequence[Row], facts: Mapping[str, str]) -> str:
    """Return the table, what it was measured with, and the notes to its rows."""
    lines = [_line(_HEADER), _line(["---"] * len(_HEADER)), *map(_row_as_markdown, rows)]
    told = [f"- {name}: {value}" for name, value in facts.items()]
    notes = [f"- {row.figure}: {note}" for row in rows for note in row.notes]
    return "\n".join([*lines, "", *told, *([""] if notes else []), *notes]) + "\n"


def table_of(markdown: str) -> list[str]:
    """Return the lines of the first table with our columns in a Markdown text; [] without one."""
    lines = markdown.splitlines()
    if _line(_HEADER) not in lines:
        return []
    found = []
    for line in lines[lines.index(_line(_HEADER)) :]:
        if not line.startswith("|"):
            break
        found.append(line)
    return found


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _row_as_markdown(row: Row) -> str:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f} ({row.ratio_of})"
    met = {True: "yes", False: "**no**", None: ""}[row.met]
    beside = "<br>".join(map(_in_words, row.beside))
    return _line([row.figure, _in_words(row.ours), beside, ratio, row.target, met])


def _in_words(measured: Measured) -> str:
    told = f"{measured.name}: {_spread_in_words(spread_of(measured.values), measured.unit)}"
    if measured.cpu_s:
        told += f"; CPU {_number(spread_of(measured.cpu_s).median, 's')}"
    return told


def _spread_in_words(spread: Spread, unit: str) -> str:
    if spread.low == spread.high:
        return _number(spread.median, unit)
    return (
        f"{_number(spread.median, unit)} ({_number(spread.low, unit)}–{_number(spread.high, unit)})"
    )


def _number(value: float, unit: str) -> str:
    for at_least, shown, factor in _SHOWN.get(unit, ((0.0, unit, 1.0),)):
        if abs(value) >= at_least:
            break
    number = value * factor
    digits = 0 if abs(number) >= 100 or shown == "bytes" else 1 if abs(number) >= 10 else 2
    return f"{number:,.{digits}f} {shown}"


def _row_as_json(row: Row) -> dict[str, Any]:
    return {
        "figure": row.figure,
        "ours": _measured_as_json(row.ours),
        "beside": [_measured_as_json(each) for each in row.beside],
        "ratio": row.ratio,
        "ratio_of": row.ratio_of,
        "target": row.target,
        "met": row.met,
        "notes": list(row.notes),
    }


def _measured_as_json(measured: Measured) -> dict[str, Any]:
    found: dict[str, Any] = {"name": measured.name, "unit": measured.unit}
    found |= _spread_as_json(measured.values)
    if measured.cpu_s:
        found["cpu_s"] = _spread_as_json(measured.cpu_s)
    return found


def _spread_as_json(values: Sequence[float]) -> dict[str, Any]:
    spread = spread_of(values)
    middle = {"median": spread.median, "low": spread.low, "high": spread.high}
    return middle | {"values": list(values)}
