"""What the figures are made of: medians, turns, costs, and the table."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import measure, table


def test_a_spread_is_the_median_and_the_middle_half() -> None:
    assert measure.spread_of([5, 1, 3, 2, 4]) == measure.Spread(3, 2, 4)
    assert measure.spread_of([7]) == measure.Spread(7, 7, 7)


def test_contenders_take_turns() -> None:
    order: list[str] = []
    turns = {name: lambda n, name=name: order.append(f"{name}{n}") for name in "ab"}
    measure.alternate(turns, 2)
    assert order == ["a0", "b0", "a1", "b1"]


def test_the_cpu_of_a_child_includes_that_of_its_children(tmp_path: Path) -> None:
    """One that sleeps has next to none; one whose child works has what the child had."""
    work = "import time; e = time.process_time() + 0.3\nwhile time.process_time() < e: pass"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}])"
    assert measure.run_child([sys.executable, "-c", nested], cwd=tmp_path).cpu_s >= 0.3


def test_a_child_that_fails_is_reported_with_its_output(tmp_path: Path) -> None:
    with pytest.raises(measure.ChildFailedError, match="exited 3: why"):
        command = [sys.executable, "-c", "print('why'); raise SystemExit(3)"]
        measure.run_child(command, cwd=tmp_path)


def test_the_page_has_a_table_for_each_figure_and_names_missed_targets() -> None:
    ours = table.Measured("ours", "s", (0.001, 0.002, 0.003), (0.5,))
    other = table.Measured("other", "s", (0.004,))
    row = table.Row("f", ours, (other,), target="≤ 1", ratio=1.5, ratio_of="a / b", met=False)
    page = table.page(table.as_json([row], {"date": "today"}))
    assert "| **ours** | 2.00 ms | 1.50 ms – 2.50 ms | 500 ms |\n| other | 4.00 ms |  |  |" in page
    assert "Ratio: 1.50 (a / b). Target: ≤ 1: **missed**." in page
    assert "- date: today" in page


def test_the_figures_of_the_readme_name_the_best_alternative() -> None:
    ours = table.Measured("ours", "s", (0.010,))
    slow, fast = (table.Measured(name, "s", (s,)) for name, s in (("Chalice", 0.04), ("SAM", 0.02)))
    names = {name: alternatives for name, _, alternatives in table.README}
    rows = [
        table.Row(name, ours, (slow, fast, *(table.Measured(n, "s", (0.03,)) for n in others)))
        for name, others in names.items()
    ]
    lines = table.figures(table.as_json(rows, {})).splitlines()
    assert len(lines) == 2 + len(names)
    assert lines[2] == "| Cold start (init) | 10.0 ms | 30.0 ms (SAM's build) | 0.33 |"
