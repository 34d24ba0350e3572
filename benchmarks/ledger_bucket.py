"""A stand-in for S3 that holds a ledger of any length, without storing it.

It works out each object from the number in its key, so that a hundred thousand releases take no
longer than ten. moto goes through all keys of a bucket for every list.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from pipeline.bundle.manifest import sha256_hex
from pipeline.release.ledger import Release

_LAST_NUMBER = 999_999  # keys count down from it
_PREFIX = "ledger/local/"
_PARTS = ("begin", "end")
_KEY = re.compile(rf"{_PREFIX}(\d{{6}})/(begin|end)\.json")


class LedgerBucket:
    """The bucket. `length` is how many releases its ledger has; `requests` counts."""

    def __init__(self) -> None:
        self.length, self.requests = 0, 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, str]:
        """Answer ListObjectsV2 and GetObject; return the status and the body."""
        self.requests += 1
        if "list-type" in query:
            return 200, self._list(query)
        found = _KEY.search(path)
        number = _LAST_NUMBER - int(found[1]) if found else 0
        if not found or not 1 <= number <= self.length:
            return 404, "<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>"
        return 200, json.dumps(_release(number, ended=found[2] == "end").to_json())

    def _list(self, query: dict[str, list[str]]) -> str:
        """Return a page of keys: two of each release, the newest release first."""
        start = int(query.get("continuation-token", ["0"])[0])
        [prefix], most = query["prefix"], int(query["max-keys"][0])
        assert prefix == _PREFIX, prefix
        end = min(start + most, len(_PARTS) * self.length)
        keys = "".join(
            f"<Contents><Key>{_PREFIX}{_LAST_NUMBER - self.length + at // 2:06d}/"
            f"{_PARTS[at % 2]}.json</Key></Contents>"
            for at in range(start, end)
        )
        more = end < len(_PARTS) * self.length
        token = f"<NextContinuationToken>{end}</NextContinuationToken>" if more else ""
        return (
            f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"{token}{keys}</ListBucketResult>"
        )

    def _handler(bucket) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet: the second would wait for a receipt

            def do_GET(self) -> None:
                address = urlsplit(self.path)
                status, body = bucket.answer(address.path, parse_qs(address.query))
                content = body.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def _release(number: int, ended: bool) -> Release:
    return Release(
        number=number,
        kind="deploy",
        outcome="succeeded" if ended else "under way",
        bundle=sha256_hex(str(number).encode()),
        version=str(number),
        restores=None,
        began="2026-01-01T00:00:00+00:00",
        ended="2026-01-01T00:01:00+00:00" if ended else None,
        actor="somebody",
        commit=None,
        run=None,
        reason=None,
        plan_sha256=None,
    )
