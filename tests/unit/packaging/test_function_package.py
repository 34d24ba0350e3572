"""The function's zip holds what function.toml names, and nothing else."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from scratch.project import Project

_HANDLER = "def handler(event, context):\n    return {'statusCode': 200}\n"
_SHOP = {
    "shop/__init__.py": "",
    "shop/api/__init__.py": "",
    "shop/api/main.py": f"from shop.prices import PRICE\n{_HANDLER}",
    "shop/prices.py": "PRICE = 1\n",
    "shop/templates/order.html": "<p>",
    # Not part of what runs:
    "shop/.env": "PASSWORD=x",
    "shop/.idea/workspace.xml": "",
    "shop/__pycache__/prices.cpython-313.pyc": "",
    "shop/prices.pyc": "",
    "shop/conftest.py": "",
    "shop/test_prices.py": "",
    "shop/api/main_test.py": "",
    "shop/tests/test_all.py": "",
    "notes.txt": "",
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.copy_to(tmp_path / "project")
    function = project.folder / "function.toml"
    function.write_text(re.sub(r"\[layer\]\n.*?\n\n", "", function.read_text(), flags=re.DOTALL))
    return project


def _write(folder: Path, files: dict[str, str]) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)


def _set(project: Project, **values: str) -> None:
    """Set keys of function.toml to TOML values."""
    file = project.folder / "function.toml"
    text = re.sub(rf"^({'|'.join(values)}) .*\n", "", file.read_text(), flags=re.MULTILINE)
    file.write_text("".join(f"{key} = {value}\n" for key, value in values.items()) + text)


def _names(project: Project, package: str) -> list[str]:
    project.must("build")
    with zipfile.ZipFile(project.folder / "build" / package) as archive:
        return archive.namelist()


@pytest.mark.parametrize("source", [".", "src"])
def test_a_folder_with_packages(project: Project, source: str) -> None:
    """Wherever the folder lies; without bytecode, tests and what starts with a dot."""
    _write(project.folder / source, _SHOP)
    _set(project, handler='"shop.api.main.handler"', source=f'"{source}"', files='["shop"]')
    names = _names(project, "shop.zip")
    assert names == sorted(
        ["shop/__init__.py", "shop/api/__init__.py", "shop/api/main.py"]
        + ["shop/prices.py", "shop/templates/order.html"]
    )


def test_without_files_it_is_the_handlers_top_level_package(project: Project) -> None:
    _write(project.folder, _SHOP)
    file = project.folder / "function.toml"
    file.write_text(re.sub(r"^files .*\n", "", file.read_text(), flags=re.MULTILINE))
    _set(project, handler='"shop.api.main.handler"')
    assert "shop/prices.py" in _names(project, "shop.zip")


def test_several_files_and_a_handler_in_a_packages_own_file(project: Project) -> None:
    _write(
        project.folder, {"app/__init__.py": _HANDLER, "prices.json": "{}", "tests/data.json": ""}
    )
    _set(project, handler='"app.handler"', files='["app", "prices.json", "tests/data.json"]')
    assert _names(project, "app.zip") == ["app/__init__.py", "prices.json", "tests/data.json"]


def test_every_source_file_is_compiled(project: Project) -> None:
    _write(project.folder, {**_SHOP, "shop/prices.py": "PRICE = (\n"})
    _set(project, handler='"shop.api.main.handler"', files='["shop"]')
    done = project.run("build")
    assert done.returncode == 1 and "shop/prices.py:1:" in done.stderr


def test_the_handlers_file_has_to_be_among_the_files(project: Project) -> None:
    _write(project.folder, _SHOP)
    _set(project, handler='"shop.api.main.handler"', files='["notes.txt"]')
    done = project.run("build")
    assert done.returncode == 2 and "does not exist: shop/api/main.py" in done.stderr
