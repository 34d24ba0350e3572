"""The function's settings, for tests that call the handler in their own process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scratch.events import KEY, api_keys


@contextmanager
def configured(mongodb_uri: str) -> Iterator[None]:
    """Configure the handler for a database, and for a key that may do everything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MONGODB_URI_PARAMETER", raising=False)
        patch.setenv("MONGODB_URI", mongodb_uri)
        patch.setenv("API_KEYS", api_keys({KEY: "read write"}))
        yield
