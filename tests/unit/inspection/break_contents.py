"""Files whose content is not as it must be."""

from __future__ import annotations

from pipeline.inspection.code import MAX_SOURCE_BYTES
from pipeline.config import FUNCTION_PACKAGE, LAYER_PACKAGE
from pipeline.inspection.rules import Rule
from tests.unit.inspection.breaking import BYTECODE, EXTENSION, PYMONGO, breaks
from tests.unit.inspection.hostile import (
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


@breaks(Rule.DOES_NOT_COMPILE, LAYER_PACKAGE, PYMONGO, line=1)
def layer_has_a_syntax_error(draft: Draft) -> None:
    # It would import bson, which is therefore not said to be of no use.
    draft.item(PYMONGO).content = b"import bson, (\n"


@breaks(Rule.SOURCE_TOO_LARGE, LAYER_PACKAGE, PYMONGO)
def source_is_too_large(draft: Draft) -> None:
    draft.item(PYMONGO).content = b"import bson\n" + b"#" * MAX_SOURCE_BYTES
    draft.item(PYMONGO).method = STORED


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


@breaks(Rule.UNUSED_LAYER_PACKAGE, LAYER_PACKAGE, "python/six")
def layer_holds_a_module_that_nobody_imports(draft: Draft) -> None:
    draft.layer.append(Item("python/six.py", b"import pymongo\n"))


@breaks(Rule.UNUSED_LAYER_PACKAGE, LAYER_PACKAGE, "python/six")
def layer_holds_bytecode_that_nobody_imports(draft: Draft) -> None:
    draft.layer.append(Item("python/six.pyc", compiled(b"import pymongo\n")))


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


@breaks(Rule.UNUSABLE_BYTECODE, LAYER_PACKAGE, BYTECODE)
def bytecode_is_checked_by_its_sources_time(draft: Draft) -> None:
    content = compiled(b"import os\n")
    draft.layer.append(Item(BYTECODE, content[:4] + bytes(4) + content[8:]))


@breaks(Rule.UNUSABLE_BYTECODE, LAYER_PACKAGE, BYTECODE)
def bytecode_is_checked_by_its_sources_hash(draft: Draft) -> None:
    content = compiled(b"import os\n")
    draft.layer.append(Item(BYTECODE, content[:4] + b"\3\0\0\0" + content[8:]))


@breaks(Rule.UNUSABLE_BYTECODE, LAYER_PACKAGE, BYTECODE)
def bytecode_lies_beside_its_source(draft: Draft) -> None:
    draft.layer.append(Item(BYTECODE, compiled(b"import os\n")))
    draft.layer.append(Item(BYTECODE.removesuffix("c"), b"import os\n"))


@breaks(Rule.SOURCE_TOO_LARGE, LAYER_PACKAGE, BYTECODE)
def bytecode_is_too_large(draft: Draft) -> None:
    content = compiled(b"import os\n") + bytes(MAX_SOURCE_BYTES)
    draft.layer.append(Item(BYTECODE, content, method=STORED))


@breaks(Rule.INVALID_ELF, LAYER_PACKAGE, EXTENSION)
def shared_object_is_text(draft: Draft) -> None:
    draft.layer.append(Item(EXTENSION, b"hello"))


@breaks(Rule.INVALID_ELF, LAYER_PACKAGE, EXTENSION)
def shared_object_is_empty(draft: Draft) -> None:
    draft.layer.append(Item(EXTENSION, b"", method=STORED))


@breaks(Rule.INVALID_ELF, LAYER_PACKAGE, "python/pymongo/data")
def elf_file_is_only_a_mark(draft: Draft) -> None:
    draft.layer.append(Item("python/pymongo/data", b"\x7fELF"))


@breaks(Rule.WRONG_ARCHITECTURE, LAYER_PACKAGE, "python/pymongo/_c.cp313-win_amd64.pyd")
def extension_is_for_windows(draft: Draft) -> None:
    draft.layer.append(Item("python/pymongo/_c.cp313-win_amd64.pyd", b"MZ"))
