"""The runbook explains every error id: meaning, what serves meanwhile, what to do."""

import re
from collections.abc import Iterator

from pipeline.errors import PipelineError
from scratch.source import ROOT

_ID = re.compile(r"^\| `([a-z-]+)` \|(.*)\|$", re.MULTILINE)


def _section(title: str) -> str:
    text = (ROOT / "docs/runbook.md").read_text()
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _kinds(error: type[PipelineError]) -> Iterator[type[PipelineError]]:
    for kind in error.__subclasses__():
        yield kind
        yield from _kinds(kind)


def test_the_runbook_explains_every_error_id_once() -> None:
    """A row that is missing, left over, repeated, or has an empty cell fails."""
    table = _section("A command ended with error[...]")
    rows = [(name, rest.split(" | ")) for name, rest in _ID.findall(table)]
    ids = {kind.id for kind in _kinds(PipelineError) if kind.__module__ == "pipeline.errors"}
    assert sorted(name for name, _ in rows) == sorted(ids)
    assert all(len(cells) == 3 and all(map(str.strip, cells)) for _, cells in rows)


def test_the_sections_that_the_table_leads_to_exist() -> None:
    text = (ROOT / "docs/runbook.md").read_text()
    table = "\n".join(row for _, row in _ID.findall(text))
    cited = set(re.findall(r"\*([A-Z][^*]+)\*", table))
    assert cited and cited <= set(re.findall(r"^## (.+)$", text, re.MULTILINE))
