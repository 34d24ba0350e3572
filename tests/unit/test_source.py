"""A scratch copy has all that function.toml names, and leaves what else lies there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.packaging import lock
from scratch import source


@pytest.mark.parametrize("layer", ["", "shop"])
def test_a_copy_has_what_the_function_is_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layer: str
) -> None:
    root, copy = tmp_path / "root", tmp_path / "copy"
    for path, text in {
        "function.toml": "",
        "pipeline/cli.py": "",
        "terraform/.terraform/provider": "",
        "terraform/main.tf": "",
        "src/shop/api/main.py": "",
        "src/other.py": "",
        "locks/layer.txt": "./prices\n",
        "locks/layer.in": "./prices\n",
        "prices/pyproject.toml": "",
        "stubs/client.py": "",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    monkeypatch.setattr(lock, "ROOT", root)
    for name, value in {
        "ROOT": root,
        "SOURCE": root / "src",
        "FILES": ["shop"],
        "FUNCTION_FILE": root / "function.toml",
        "FUNCTION": {"layer": {"stubs": {"a/client.py": "stubs/client.py"}}},
        "LAYER": layer,
        "LAYER_LOCK": root / "locks" / "layer.txt",
    }.items():
        monkeypatch.setattr(source, name, value)
    source.copy_to(copy)
    files = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    of_layer = {"locks/layer.txt", "locks/layer.in", "prices/pyproject.toml", "stubs/client.py"}
    assert files == {
        *("function.toml", "pipeline/cli.py", "terraform/main.tf", "src/shop/api/main.py"),
        *(of_layer if layer else ()),
    }
