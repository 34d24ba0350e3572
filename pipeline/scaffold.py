"""Turn a fresh copy of this repository into the repository of another function.

What is mongo-client's is taken away: its code, its tests, what shows and measures it, and the lines
of other files that name these. A handler that works, its test and its function.toml take their
place. It is done in a clean work tree of git, which has all that is taken away.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from string import Template

from pipeline.config import FILES, FUNCTION_FILE, ROOT, SERVICE, SOURCE
from pipeline.errors import UsageError

TEMPLATES = Path(__file__).with_name("templates")
KINDS = ("plain", "fastapi")

_FRESH = "mongo-client"
_ONLY_FOR_IT = (
    "layer",
    "demo",
    "benchmarks",
    "docs/benchmarks.md",
    "docs/comparison.md",
    "docs/data-api.md",
    "docs/generate.py",
    "docs/openapi.yaml",
    "docs/pictures",
    "docs/function.md",
)
# What checks the workflows, which stay.
_KEPT_TESTS = ("tests/workflows/validate.py",)

# Parts of files that are about what is taken away: (file, pattern, what takes its place).
_EDITS = (
    ("Makefile", r"\.PHONY: (demo|crash|fuzz|outage|packages|bench|pictures|docs)\n(.+\n)*\n", ""),
    (
        "pyproject.toml",
        r"(?<=^files = )\[.*\]",
        '["pipeline", "localcloud", "scratch", "*.py", "tests"]',
    ),
    ("pyproject.toml", r"\[\[tool\.mypy\.overrides\]\]\n# They are installed with(.+\n)*\n", ""),
    ("pyproject.toml", r'\[\[tool\.mypy\.overrides\]\]\nmodule = \["benchmarks(.+\n)*\n', ""),
    ("pyproject.toml", r'(?<=, )"demo", ', ""),
    # Packages that the function uses may warn of what only their authors can change.
    ("pyproject.toml", r'filterwarnings = \["error"\]', 'filterwarnings = ["default"]'),
    (
        ".github/workflows/ci.yml",
        r"(?<=include:\n)( +- part: .+\n +tests: .+\n)+",
        "          - part: all\n            tests: tests\n",
    ),
    (".github/dependabot.yml", r"  - package-ecosystem: npm\n(    .+\n)+", ""),
    (".github/dependabot.yml", r', "/benchmarks"', ""),
)
_EDIT_WITHOUT_LAYER = (
    ".github/dependabot.yml",
    r"  # What is deployed.+\n  - package-ecosystem: uv\n"
    r'    directories: \["/layer"\]\n(    .+\n)+',
    "",
)


def require_fresh() -> None:
    """Raise UsageError unless this is a copy that is as it was made, and git could restore it."""
    if SERVICE != _FRESH:
        raise UsageError(
            f"function.toml already describes {SERVICE}: init needs a fresh copy of the repository",
            "Edit function.toml and the handler instead.",
        )
    command = ["git", "-C", str(ROOT), "status", "--porcelain"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0 or done.stdout:
        raise UsageError(
            "init replaces files that git cannot restore: "
            + (f"there are uncommitted changes\n{done.stdout}" if done.stdout else done.stderr),
            "Commit them (in a copy without git: git init && git add --all && git commit).",
        )


def write(name: str, kind: str) -> list[str]:
    """Make this the repository of the function `name`; return the files that were written.

    `kind` is one of KINDS, the template of the handler. Raises UsageError if a part of a file that
    has to change is not there.
    """
    module = name.replace("-", "_")
    _take_away()
    layer = '\n[layer] # what pip installs from layer/requirements.txt\nname = "packages"\n'
    values = {"name": name, "module": module, "layer": layer if kind == "fastapi" else ""}
    written = {
        FUNCTION_FILE.name: "function.toml",
        f"{module}.py": f"{kind}/handler.py",
        f"tests/test_{module}.py": f"{kind}/test.py",
    }
    if kind == "fastapi":
        written["layer/requirements.in"] = f"{kind}/requirements.in"
    for path, template in written.items():
        _write(ROOT / path, TEMPLATES / f"{template}.tmpl", values)
    for edit in (*_EDITS, *([] if kind == "fastapi" else [_EDIT_WITHOUT_LAYER])):
        _edit(*edit)
    return list(written)


def _take_away() -> None:
    kept = {ROOT / path: (ROOT / path).read_bytes() for path in _KEPT_TESTS}
    for path in (*(SOURCE / name for name in FILES), *(ROOT / name for name in _ONLY_FOR_IT)):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(ROOT / "tests")
    for path, content in kept.items():
        path.parent.mkdir(parents=True)
        path.write_bytes(content)


def _write(path: Path, template: Path, values: Mapping[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(Template(template.read_text("utf-8")).substitute(values), "utf-8")


def _edit(file: str, pattern: str, replacement: str) -> None:
    path = ROOT / file
    text, count = re.subn(pattern, replacement, path.read_text("utf-8"), flags=re.MULTILINE)
    if not count:
        raise UsageError(f"{file} has no {pattern!r}", "Restore the files: git restore .")
    path.write_text(text, "utf-8")
