"""Releases (`#24`) and versions (`v16`): one notation in the output, the same in options."""

from __future__ import annotations

import click
import pytest

from pipeline import labels
from pipeline.cli.options import Label


def test_releases_and_versions_are_written_so_that_they_differ() -> None:
    assert (labels.release(24), labels.release(None)) == ("#24", "#?")
    assert [labels.version(each) for each in ("16", "$LATEST", None)] == ["v16", "$LATEST", "v?"]


@pytest.mark.parametrize(
    ("kinds", "given", "means"),
    [
        (("release", "version"), "24", 24),
        (("release", "version"), "#24", 24),
        (("release", "version"), "v16", "16"),
        (("release",), "#24", 24),
        (("version",), "16", "16"),
        (("version",), "v16", "16"),
        (("version",), "$LATEST", "$LATEST"),
    ],
)
def test_what_is_printed_can_be_typed(kinds: tuple[str, ...], given: str, means: int | str) -> None:
    assert Label(*kinds).convert(given, None, None) == means


@pytest.mark.parametrize(
    ("kinds", "given", "problem"),
    [
        (("release", "version"), "v3.1", "'v3.1' is not the number of a release"),
        (("release", "version"), "", "'' is not the number of a release"),
        (("release",), "v16", "'v16' is a version; this takes the number of a release"),
        (("version",), "#24", "'#24' is a release; this takes a version of the function"),
        (("version",), "newest", "'newest' is not a version of the function"),
    ],
)
def test_one_taken_for_the_other_is_named(kinds: tuple[str, ...], given: str, problem: str) -> None:
    with pytest.raises(click.BadParameter) as refused:
        Label(*kinds).convert(given, None, None)
    assert refused.value.message.startswith(problem)
    assert "as `releases` lists them" in refused.value.message
