"""A signal to stop counts when a plan is applied, and not before."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.release import publish
from pipeline.config import Environment
from pipeline.signals import stop_on_signals
from pipeline.target import Target


@pytest.fixture(autouse=True)
def _stopping() -> Iterator[None]:
    """Let this process stop as a command does, and then as before."""
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    stop_on_signals()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_does_not_interrupt_an_apply() -> None:
    """Nor what follows it: a provider that is interrupted there leaves an unpublished change."""
    done: list[str] = []

    def apply(plan: object) -> dict[str, Any]:
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        done.append("applied")
        return {"function_version": "2", "api_url": "https://api.example"}

    def get_function_configuration(**_: str) -> dict[str, Any]:
        done.append("read")
        return {"LastUpdateStatus": "Successful"}

    functions = SimpleNamespace(
        get_function_configuration=get_function_configuration,
        get_waiter=lambda _: SimpleNamespace(wait=lambda **_: None),
    )
    with pytest.raises(KeyboardInterrupt):
        publish.apply(
            Target(cast(Any, SimpleNamespace(functions=functions)), Environment("staging")),
            cast(Any, SimpleNamespace(apply=apply)),
            cast(Any, SimpleNamespace(is_empty=False, outputs={}, document={})),
            cast(Any, None),
        )
    assert done[1] == "applied" and done[-2:] == ["read", "read"]
