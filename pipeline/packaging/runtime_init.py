"""Import a handler as AWS's runtime interface client does: `runtime_init.py HANDLER RESULT`.

This is no module of the pipeline but a program of its own, which imports nothing of it. It writes
to RESULT what the import raised, as JSON: `message` in the words of Lambda's log, `trace` with the
lines of code that led there, and `refused` if that is an error wherever the function runs. RESULT
is null if the import went well. Source of the words: awslambdaric/bootstrap.py, _get_handler.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from pathlib import Path


def _import(handler: str) -> dict[str, str | bool] | None:
    module, _, name = handler.rpartition(".")
    try:
        importlib.import_module("awslambdaric.bootstrap")
        getattr(importlib.import_module(module), name)
    except ImportError as error:
        return _problem(f"Unable to import module '{module}': {error}", error, refused=True)
    except SyntaxError as error:
        return _problem(f"Syntax error in module '{module}': {error}", error, refused=True)
    except BaseException as error:
        if isinstance(error, AttributeError) and error.name == name:
            message = f"Handler '{name}' missing on module '{module}'"
            return _problem(message, error, refused=True)
        return _problem(f"{type(error).__name__}: {error}", error, refused=False)
    return None


def _problem(message: str, error: BaseException, *, refused: bool) -> dict[str, str | bool]:
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename not in (__file__, importlib.__file__)
        and not frame.filename.startswith("<frozen")
    ]
    trace = "".join(traceback.format_list(frames)).replace(str(Path.cwd()), "/var/task")
    return {
        "message": message,
        "trace": trace.replace(str(Path.cwd().with_name("opt")), "/opt"),
        "refused": refused,
    }


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(_import(sys.argv[1])))
