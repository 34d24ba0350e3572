"""The results: JSON for programs, and Markdown made from that JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import spread_of

# The README's figures: the row's name, its label there, and the alternatives to choose from.
README = (
    ("cold start", "Cold start (init)", ("SAM's build",)),
    (
        "warm call: overhead of findOne",
        "Overhead of a warm `findOne`",
        ("Powertools", "Chalice", "Mangum + FastAPI"),
    ),
    (
        "warm call: overhead of find of 1,000",
        "Overhead of a warm `find`, 1,000 documents",
        ("Powertools", "Chalice", "Mangum + FastAPI"),
    ),
    ("build, code changed", "Build and inspect, code changed", ("sam build",)),
    ("deploy", "Deploy: plan, then apply that plan", ("terraform apply",)),
    ("rollback", "Rollback, until traffic is back", ("terraform apply",)),
)

# The unit that a value is printed in, by its size in the unit of the results, and the factor.
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
    peers: tuple[Measured, ...]
    target: str = ""
    ratio: float | None = None
    ratio_of: str = ""
    met: bool | None = None
    notes: tuple[str, ...] = ()


def as_json(rows: Sequence[Row], facts: Mapping[str, str]) -> dict[str, Any]:
    """Return all that was measured: raw values, medians and the bounds of their middle halves."""
    return {"facts": dict(facts), "rows": [_row_as_json(row) for row in rows]}


def page(results: Mapping[str, Any]) -> str:
    """Return the results (as `as_json` returns them) as Markdown: a table for each figure."""
    parts = [_section(row) for row in results["rows"]]
    measured_with = [f"- {name}: {value}" for name, value in results["facts"].items()]
    return "\n\n".join([*parts, "## Measured with", "\n".join(measured_with)]) + "\n"


def figures(results: Mapping[str, Any]) -> str:
    """Return the README's table: this project, the best alternative, and the ratio of both.

    Raises KeyError if the results lack a figure that the README has.
    """
    rows = {row["figure"]: row for row in results["rows"]}
    lines = [_line(("", "this project", "best alternative", "ratio")), "|---|--:|--:|--:|"]
    for name, label, alternatives in README:
        row = rows[name]
        ours = row["ours"]
        best = min(
            (peer for peer in row["peers"] if peer["name"] in alternatives),
            key=lambda peer: peer["median"],
        )
        cells = [_number(peer["median"], peer["unit"]) for peer in (ours, best)]
        ratio = f"{ours['median'] / best['median']:.2f}"
        lines.append(_line((label, cells[0], f"{cells[1]} ({best['name']})", ratio)))
    return "\n".join(lines) + "\n"


def _section(row: Mapping[str, Any]) -> str:
    """Return one figure: its contenders as rows, its ratio and target, and its notes."""
    heading = f"## {row['figure'][0].upper()}{row['figure'][1:]}"
    lines = [_line(("", "median", "middle half", "CPU")), "|---|--:|--:|--:|"]
    for peer in (row["ours"], *row["peers"]):
        low, high = (_number(peer[bound], peer["unit"]) for bound in ("low", "high"))
        middle = "" if low == high else f"{low} – {high}"
        cpu = _number(peer["cpu_s"]["median"], "s") if "cpu_s" in peer else ""
        name = f"**{peer['name']}**" if peer is row["ours"] else peer["name"]
        lines.append(_line((name, _number(peer["median"], peer["unit"]), middle, cpu)))
    facts = []
    if row["ratio"] is not None:
        facts.append(f"Ratio: {row['ratio']:.2f} ({row['ratio_of']}).")
    if row["target"]:
        facts.append(f"Target: {row['target']}: {'met' if row['met'] else '**missed**'}.")
    facts += [f"{note[0].upper()}{note[1:]}." for note in row["notes"]]
    return "\n\n".join([heading, "\n".join(lines), *([" ".join(facts)] if facts else [])])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float, unit: str) -> str:
    for at_least, displayed, factor in _SHOWN.get(unit, ((0.0, unit, 1.0),)):
        if abs(value) >= at_least:
            break
    number = value * factor
    digits = 0 if abs(number) >= 100 or displayed == "bytes" else 1 if abs(number) >= 10 else 2
    return f"{number:,.{digits}f} {displayed}"


def _row_as_json(row: Row) -> dict[str, Any]:
    return {
        "figure": row.figure,
        "ours": _measured_as_json(row.ours),
        "peers": [_measured_as_json(each) for each in row.peers],
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
