"""Which tests a target of the Makefile runs: the tiers, which are markers in pyproject.toml."""

from __future__ import annotations

import pytest

_TIERS = {
    "check": ("unit",),
    "test": ("unit", "integration"),
    "extended": ("extended",),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tier", choices=_TIERS, help="run only the tests that this target runs")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Select the tiers."""
    if chosen := config.getoption("tier"):
        deselected = [item for item in items if _tier(item) not in _TIERS[chosen]]
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if _tier(item) in _TIERS[chosen]]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a tier be empty: a function may have no slow tests."""
    if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and session.config.option.tier:
        session.exitstatus = pytest.ExitCode.OK


def _tier(item: pytest.Item) -> str:
    """Return a test's tier: its own marker, or its module's, or `unit` if there is none."""
    names = (marker.name for marker in item.iter_markers())
    return next((name for name in names if name in ("integration", "extended")), "unit")
