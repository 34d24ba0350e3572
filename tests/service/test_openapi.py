"""The service keeps to its own description, whatever Schemathesis makes of that to send."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scratch.source import ROOT
from tests.service.deployed import LIMIT_S, Service

pytestmark = pytest.mark.integration

_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
_EXAMPLES = 8  # of each action and each phase


def test_nothing_undocumented_is_answered(service: Service, tmp_path: Path) -> None:
    """Statuses, media types, headers and bodies are those of the document; none is a 5xx."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            *(str(ROOT / "docs" / "openapi.yaml"), "--url", service.url),
            *("--header", f"apiKey:{service.key}", "--checks", ",".join(_CHECKS)),
            *("--phases", "examples,coverage,fuzzing", "--max-examples", str(_EXAMPLES)),
            *("--seed", "1", "--generation-deterministic"),
            *("--request-timeout", str(LIMIT_S + 5), "--no-color"),
        ],
        cwd=tmp_path,
        env=os.environ | {"no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tested = re.search(r"Tested: (\d+)", done.stdout)
    assert tested and int(tested[1]) >= 10, done.stdout
