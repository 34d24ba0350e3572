"""The figures in the README are those of the last run that was kept."""

from __future__ import annotations

import json

from benchmarks import table
from scratch.source import ROOT


def test_the_readme_shows_the_table_of_the_last_run() -> None:
    kept = table.table_of((ROOT / "benchmarks/results.md").read_text())
    assert kept and table.table_of((ROOT / "README.md").read_text()) == kept


def test_both_forms_of_the_results_are_of_the_same_run() -> None:
    rows = json.loads((ROOT / "benchmarks/results.json").read_text())["rows"]
    kept = table.table_of((ROOT / "benchmarks/results.md").read_text())
    assert [line.split(" | ")[0].removeprefix("| ") for line in kept[2:]] == [
        row["figure"] for row in rows
    ]
