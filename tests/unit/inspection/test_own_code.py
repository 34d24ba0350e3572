"""This repository's own code: the function's files and folders, and own packages in the layer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.bundle import function_files
from pipeline.config import FUNCTION_PACKAGE, LAYER_PACKAGE
from pipeline.inspection import code, entries
from pipeline.inspection.rules import Rule
from tests.unit.inspection.violations import found
from tests.unit.inspection.malicious_zip import HANDLER, Draft, Item, manifest_text, sound

_PASSWORD = b"URI = 'postgresql://scott:" + b"tiger@db/shop'\n"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Draft:
    """A function of several files, whose handler is in a package."""
    path = "shop/api/main.py"
    for module in (code, entries):
        monkeypatch.setattr(module, "HANDLER_PATH", path)
    monkeypatch.setattr(function_files, "FILES", ["shop", "prices.py"])
    draft = sound()
    draft.values = {"handler": "shop.api.main.answer"}
    source = (
        b"import pymongo\nimport prices\nfrom . import helpers\ndef answer(event, context): pass\n"
    )
    draft.function = [
        Item("prices.py", b"import shop.api\n"),
        Item("shop/__init__.py"),
        Item("shop/api/helpers.py", b"import json\n"),
        Item(path, source),
    ]
    return draft


def test_a_function_may_have_files_and_packages(shop: Draft, tmp_path: Path) -> None:
    assert found(shop.write(tmp_path / "b")) == []


def test_each_file_of_the_function_is_checked(shop: Draft, tmp_path: Path) -> None:
    """Whatever file of it imports what nobody has, holds a credential or does not compile."""
    shop.item("prices.py").content = b"import os\nimport requests\n"
    shop.item("shop/__init__.py").content = _PASSWORD
    shop.item("shop/api/helpers.py").content = b"def broken(:\n"
    shop.function.append(Item("shop/__pycache__/a.cpython-313.pyc", b"pyc"))
    shop.function.append(Item("shop/tests/test_a.py", b""))
    shop.function.append(Item("other.py", b""))
    assert found(shop.write(tmp_path / "b")) == [
        (Rule.UNEXPECTED_ENTRY.id, FUNCTION_PACKAGE, "other.py", None),
        (Rule.IMPORT_NOT_PROVIDED.id, FUNCTION_PACKAGE, "prices.py", 2),
        (Rule.CREDENTIAL.id, FUNCTION_PACKAGE, "shop/__init__.py", 1),
        (
            Rule.BYTECODE_IN_FUNCTION.id,
            FUNCTION_PACKAGE,
            "shop/__pycache__/a.cpython-313.pyc",
            None,
        ),
        (Rule.DOES_NOT_COMPILE.id, FUNCTION_PACKAGE, "shop/api/helpers.py", 1),
        (Rule.UNEXPECTED_ENTRY.id, FUNCTION_PACKAGE, "shop/tests/test_a.py", None),
    ]


def test_an_own_package_in_the_layer_is_searched_as_the_function_is(tmp_path: Path) -> None:
    """What is built from a folder of this repository documents nothing for others."""
    draft = sound()
    draft.layer.append(Item("python/shared/__init__.py", _PASSWORD))
    document = json.loads(manifest_text(draft.content()))
    for own, findings in (([], []), (["python/shared/__init__.py"], [Rule.CREDENTIAL.id])):
        document["source"]["own_files"] = own
        draft.manifest_text = json.dumps(document).encode()
        rules = [(rule, package) for rule, package, *_ in found(draft.write(tmp_path / "b"))]
        assert rules == [(rule, LAYER_PACKAGE) for rule in findings]


def test_names_that_a_star_brings_may_hold_the_handler(tmp_path: Path) -> None:
    """Which those are is not known without importing it."""
    draft = sound()
    draft.item(HANDLER).content = b"from pymongo import *\n"
    assert found(draft.write(tmp_path / "b")) == []
