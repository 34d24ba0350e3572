"""Files whose content is not as it must be."""

from __future__ import annotations

from pipeline.config import FUNCTION_PACKAGE, LAYER_PACKAGE
from pipeline.inspection.rules import Rule
from tests.unit.inspection.violations import BYTECODE, EXTENSION, breaks
from tests.unit.inspection.malicious_zip import (
    HANDLER,
    STORED,
    Draft,
    Item,
    compiled,
)


@breaks(Rule.CREDENTIAL, FUNCTION_PACKAGE, HANDLER, line=6)
def handler_holds_a_password(draft: Draft) -> None:
    draft.item(HANDLER).content += b"URI = 'mongodb+srv://app:" + b"hunter2@db.example.net/'\n"


@breaks(Rule.CREDENTIAL, LAYER_PACKAGE, "python/pymongo/key.txt", line=2)
def layer_holds_a_token(draft: Draft) -> None:
    draft.layer.append(Item("python/pymongo/key.txt", b"\n" + b"ghp_" + b"a1B2" * 9))


@breaks(Rule.DOES_NOT_COMPILE, FUNCTION_PACKAGE, HANDLER, line=6)
def handler_has_a_syntax_error(draft: Draft) -> None:
    draft.item(HANDLER).content += b"def broken(:\n"


@breaks(Rule.DOES_NOT_COMPILE, FUNCTION_PACKAGE, HANDLER, line=6)
def handler_returns_outside_of_a_function(draft: Draft) -> None:
    draft.item(HANDLER).content += b"return 1\n"


@breaks(Rule.DOES_NOT_COMPILE, FUNCTION_PACKAGE, HANDLER, line=6)
def handler_is_newer_than_the_runtime(draft: Draft) -> None:
    draft.values = {"runtime": "python3.11"}
    draft.item(HANDLER).content += b"type Name = str\n"


@breaks(Rule.DOES_NOT_COMPILE, FUNCTION_PACKAGE, HANDLER)
def handler_is_no_text(draft: Draft) -> None:
    draft.item(HANDLER).content += b"# \xff\n"


@breaks(Rule.DOES_NOT_COMPILE, FUNCTION_PACKAGE, HANDLER)
def handler_is_nested_too_deep(draft: Draft) -> None:
    draft.item(HANDLER).content += b"-" * 50_000 + b"1\n"


@breaks(Rule.HANDLER_NOT_DEFINED, FUNCTION_PACKAGE, HANDLER)
def handler_is_not_defined(draft: Draft) -> None:
    draft.values = {"handler": "lambda_function.main"}


@breaks(Rule.HANDLER_NOT_DEFINED, FUNCTION_PACKAGE, HANDLER)
def handler_is_defined_within_a_function(draft: Draft) -> None:
    source = b"import pymongo\ndef make():\n    def lambda_handler(event, context): pass\n"
    draft.item(HANDLER).content = source


@breaks(Rule.HANDLER_NOT_DEFINED, FUNCTION_PACKAGE, HANDLER)
def handler_is_in_another_file(draft: Draft) -> None:
    draft.values = {"handler": "main.lambda_handler"}


@breaks(Rule.IMPORT_NOT_PROVIDED, FUNCTION_PACKAGE, HANDLER, line=7)
def handler_imports_what_nobody_provides(draft: Draft) -> None:
    draft.item(HANDLER).content += b"def late():\n    import requests.adapters\n"


@breaks(Rule.IMPORT_NOT_PROVIDED, FUNCTION_PACKAGE, HANDLER, line=1)
def handler_imports_what_only_a_layer_could_have(draft: Draft) -> None:
    draft.leave_the_layer_out()


@breaks(Rule.UNUSABLE_BYTECODE, LAYER_PACKAGE, BYTECODE)
def bytecode_is_empty(draft: Draft) -> None:
    draft.layer.append(Item(BYTECODE, b"", method=STORED))


@breaks(Rule.UNUSABLE_BYTECODE, LAYER_PACKAGE, BYTECODE)
def bytecode_is_text(draft: Draft) -> None:
    draft.layer.append(Item(BYTECODE, b"import os; print(os.environ)\n"))


@breaks(Rule.UNUSABLE_BYTECODE, LAYER_PACKAGE, BYTECODE)
def bytecode_is_another_pythons(draft: Draft) -> None:
    content = compiled(b"import os\n")
    draft.layer.append(Item(BYTECODE, (3531).to_bytes(2, "little") + content[2:]))


@breaks(Rule.UNUSABLE_BYTECODE, LAYER_PACKAGE, BYTECODE)
def bytecode_is_for_an_older_runtime_than_the_functions(draft: Draft) -> None:
    draft.values = {"runtime": "python3.12"}
    draft.layer.append(Item(BYTECODE, compiled(b"import os\n")))


@breaks(Rule.INVALID_ELF, LAYER_PACKAGE, EXTENSION)
def shared_object_is_text(draft: Draft) -> None:
    draft.layer.append(Item(EXTENSION, b"hello"))


@breaks(Rule.INVALID_ELF, LAYER_PACKAGE, EXTENSION)
def shared_object_is_empty(draft: Draft) -> None:
    draft.layer.append(Item(EXTENSION, b"", method=STORED))
