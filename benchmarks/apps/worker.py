"""A container's process without Lambda around it: calls a handler, and times each call.

`python worker.py <module>` reads rounds as lines of JSON (`event`, `calls`) and answers each with a
line: the seconds of each call, the CPU seconds of all, and the first call's result as text.
"""

import contextlib
import importlib
import json
import os
import sys
import time
from typing import Any, TextIO, cast


class Context:
    """Lambda's context object, as far as the handlers look at it."""

    function_name = "mongo-client-local"
    function_version = "1"
    memory_limit_in_mb = 256
    aws_request_id = "c3d4e5f6-0000-0000-0000-000000000000"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:mongo-client:live"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 10_000


class Unbuffered:
    """Standard output as AWS's interface client has it: every write goes out at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def flush(self) -> None:
        self._stream.flush()


def main() -> None:
    answers = sys.stdout
    log = Unbuffered(open(os.devnull, "w"))
    with contextlib.redirect_stdout(cast(TextIO, log)):
        handler = importlib.import_module(sys.argv[1]).lambda_handler
        for line in sys.stdin:
            task = json.loads(line)
            found = _round(handler, task["event"], task["calls"])
            print(json.dumps(found), file=answers, flush=True)


def _round(handler: Any, event: dict[str, Any], calls: int) -> dict[str, Any]:
    # Each call gets an event of its own, as it does on Lambda: handlers may change it.
    events = [json.loads(json.dumps(event)) for _ in range(calls)]
    context = Context()
    times_s, first = [], None
    cpu_s = time.process_time()
    for each in events:
        started_s = time.perf_counter()
        result = handler(each, context)
        times_s.append(time.perf_counter() - started_s)
        first = first or result
    return {"calls_s": times_s, "cpu_s": time.process_time() - cpu_s, "first": str(first)[:300]}


main()
