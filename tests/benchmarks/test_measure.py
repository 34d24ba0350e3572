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


def test_a_child_that_fails_is_told_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(measure.ChildFailed, match="exited 3: why"):
        command = [sys.executable, "-c", "print('why'); raise SystemExit(3)"]
        measure.run_child(command, cwd=tmp_path)


def test_the_table_can_be_found_again_in_a_document() -> None:
    ours = table.Measured("ours", "s", (0.001, 0.002, 0.003), (0.5,))
    row = table.Row("f", ours, (), target="≤ 1", ratio=1.5, ratio_of="a / b", met=False)
    markdown = table.as_markdown([row], {"date": "today"})
    assert table.table_of(f"text\n\n{markdown}")[2:] == [
        "| f | ours: 2.00 ms (1.50 ms–2.50 ms); CPU 500 ms |  | 1.50 (a / b) | ≤ 1 | **no** |"
    ]
    assert table.table_of("no table") == []
