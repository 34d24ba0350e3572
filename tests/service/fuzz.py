"""make fuzz: hostile events for the handler, and whether each gets a well-formed answer.

An answer is an error object or a result, in the form that API Gateway takes. Nothing goes
unhandled, and no log or answer holds a secret. A failure is made smaller, and printed so that it
can be run again.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import pymongo

from scratch.events import KEY
from tests.support.handler import Container, Context
from scratch.mongodb import mongodb_uri
from tests.service import hostile
from tests.service.settings import configured

_LIMIT_S = 10.0
_LAMBDA_LIMIT_BYTES = 6_291_556
_MOST_TRIES = 3_000  # to make a failing event smaller
# As a statement of MongoDB's own would be, so that a log of it would be seen.
_APPLICATION = "secret-of-the-uri"


class Fuzz:
    """A container that gets hostile events, and what it answered."""

    def __init__(self, container: Container, secrets: tuple[str, ...]) -> None:
        self._handle: Callable[[Any, Any], Any] = container.module.lambda_handler
        self._secrets = secrets
        self.statuses: Counter[int] = Counter()
        self.services: Counter[str] = Counter()
        self.wrongs: Counter[str] = Counter()

    def run(self, seed: int, numbers: range) -> list[str]:
        """Send the events of a seed; return what was wrong with the answers, in words."""
        parts = []
        for number in numbers:
            made = hostile.make(seed, number)
            self.services[made.service] += 1
            self.wrongs[made.wrong] += 1
            found, status = self._judge(made.event)
            self.statuses[status] += 1
            if found:
                smaller = minimise(made.event, lambda event: bool(self._judge(event)[0]))
                parts.append(
                    f"event {number} of seed {seed} ({made.service}, wrong: {made.wrong}): "
                    f"{'; '.join(found)}\n"
                    f"  made smaller: {json.dumps(smaller)[:3_000]}\n"
                    f"  {'; '.join(self._judge(smaller)[0])[:1_000]}\n"
                    f"  again: python -m tests.service.fuzz --seed {seed} --first {number} "
                    "--events 1"
                )
                if len(parts) == 10:
                    break
        return parts

    def _judge(self, event: Any) -> tuple[list[str], int]:
        """Send one event; return what is wrong with the answer, and its status."""
        context, printed, logged = Context(_LIMIT_S), io.StringIO(), _Lines()
        logging.getLogger().addHandler(logged)
        try:
            with contextlib.redirect_stdout(printed):
                response = self._handle(hostile.duplicate(event), context)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return [f"unhandled {type(error).__name__}: {str(error)[:300]}"], 0
        finally:
            logging.getLogger().removeHandler(logged)
        log = printed.getvalue() + "".join(logged.lines)
        found = [*_form(response), *_lines(printed.getvalue())]
        if "unexpected error" in log:
            found.append(f"an unexpected error: {log[-1500:]}")
        if hostile.PRIVATE in log:
            found.append(f"the log holds what a caller sent: {log[:1500]}")
        for secret in self._secrets:
            if secret in log or secret in json.dumps(response, default=str):
                found.append(f"{secret!r} is in the output")
        if context.get_remaining_time_in_millis() < 0:
            found.append("Lambda would have ended this invocation")
        status = response.get("statusCode") if isinstance(response, dict) else 0
        return found, status if isinstance(status, int) else 0


class _Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(logging.Formatter().format(record))


def _lines(printed: str) -> Iterator[str]:
    """Find what is wrong with the request's lines in the log: what it was, how it was answered."""
    *output, text = printed.splitlines() or [""]
    if len(output) > 1 or not all(line.startswith("Method: ") for line in output):
        yield f"printed {printed[:500]!r}"
    try:
        json.loads(text)
    except ValueError:
        yield f"printed {text[:500]!r}"


def _form(response: Any) -> Iterator[str]:
    """Find what is wrong with a response."""
    keys = {"statusCode", "headers", "body", "isBase64Encoded"}
    if not isinstance(response, dict) or set(response) != keys:
        yield f"the response is {str(response)[:300]}"
        return
    status, body = response["statusCode"], response["body"]
    if type(status) is not int or status not in {each.value for each in HTTPStatus}:
        yield f"the status is {status!r}"
        return
    if not isinstance(body, str) or response.get("isBase64Encoded") is not False:
        yield "the body is no text"
        return
    try:
        size_bytes = len(json.dumps(response, ensure_ascii=False).encode())
        if size_bytes > _LAMBDA_LIMIT_BYTES:
            yield f"the response has {size_bytes:,} bytes"
    except (TypeError, ValueError, RecursionError) as error:
        yield f"Lambda cannot write the response: {error}"
    for name, value in response["headers"].items():
        text = f"{name}: {value}"
        if not isinstance(value, str) or not text.isascii() or not text.isprintable():
            yield f"the header {text[:100]!r}"
    yield from _body(status, body)


def _body(status: int, body: str) -> Iterator[str]:
    if status in (200, 204) and not body:  # of HEAD and OPTIONS
        return
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        yield f"the body is no JSON: {body[:200]!r}"
        return
    if status >= 500:
        yield f"{status}: {body[:300]}"
    if status >= 400 and not all(type(value.get(key)) is str for key in ("error", "error_code")):
        yield f"{status} without an error object: {body[:200]}"


def minimise(event: Any, fails: Callable[[Any], bool]) -> Any:
    """Take away from an event what its failure does not need."""
    tries, smaller_found = 0, True
    while smaller_found and tries < _MOST_TRIES:
        smaller_found = False
        for smaller in _smaller(event):
            tries += 1
            if tries > _MOST_TRIES:
                break
            if fails(smaller):
                event, smaller_found = smaller, True
                break
    return event


def _smaller(event: Any) -> Iterator[Any]:
    """Yield the event without one part after the other; the parts of a JSON body included."""
    for index, container in enumerate(hostile.walk(event)):
        for key in list(container) if isinstance(container, dict) else range(len(container)):
            smaller = hostile.duplicate(event)
            del hostile.walk(smaller)[index][key]
            yield smaller
    if not isinstance(event, dict) or not isinstance(event.get("body"), str):
        return
    body = event["body"]
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(body)
        if isinstance(value, dict):
            yield from (event | {"body": json.dumps(each)} for each in _smaller(value))
            return
    if len(body) > 1:
        half = len(body) // 2
        yield from (event | {"body": each} for each in (body[:half], body[half:], body[:-1]))


@contextlib.contextmanager
def running() -> Iterator[Fuzz]:
    """Yield a container with a MongoDB of its own behind it."""
    with mongodb_uri() as uri, pymongo.MongoClient[dict[str, Any]](uri) as client:
        things = client["fuzz"]["things"]
        things.drop()
        things.insert_many([{"_id": n, "name": hostile.PRIVATE, "n": n} for n in range(20)])
        joint = "&" if "?" in uri else "?"
        with configured(f"{uri}{joint}appName={_APPLICATION}"):
            container = Container()
            address = uri.partition("//")[2].partition("/")[0]
            try:
                yield Fuzz(container, (KEY, _APPLICATION, address))
            finally:
                container.close()
                client.drop_database("fuzz")


def main() -> int:
    """Send the events, print what failed, and a sentence that says how many there were."""
    parser = argparse.ArgumentParser(prog="python -m tests.service.fuzz", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--first", type=int, default=0, help="begin with the N-th event")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    started = time.monotonic()
    with running() as fuzz:
        text = fuzz.run(options.seed, range(options.first, options.first + options.events))
    print(*text, sep="\n")
    for name, counter in (("from", fuzz.services), ("wrong", fuzz.wrongs)):
        print(f"{name}:", ", ".join(f"{key} {n:,}" for key, n in sorted(counter.items())))
    statuses = ", ".join(f"{n:,} times {status}" for status, n in sorted(fuzz.statuses.items()))
    print(
        f"{fuzz.statuses.total():,} hostile events of seed {options.seed} were answered with "
        f"{statuses}; {len(text)} of the answers were wrong "
        f"({(time.monotonic() - started) / 60:.1f} minutes)."
    )
    return 1 if text else 0


if __name__ == "__main__":
    sys.exit(main())
