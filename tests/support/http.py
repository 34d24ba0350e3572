"""A person's HTTP client: calls the API, and keeps calling it in the background."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


def get(url: str) -> tuple[int, dict[str, Any]]:
    """Send a GET; return the status and the JSON body, whatever the status."""
    return _send(urllib.request.Request(url))


def action(settings: Mapping[str, str], name: str, **fields: object) -> tuple[int, dict[str, Any]]:
    """Call a Data API action with the cloud's key; return the status and the JSON body."""
    body = {"dataSource": "local", "database": "tests", "collection": "things"} | fields
    return _send(
        urllib.request.Request(
            f"{settings['API_URL']}/api/data/v1/action/{name}",
            json.dumps(body).encode(),
            {"apiKey": settings["API_KEY"], "Content-Type": "application/json"},
        )
    )


def post(url: str, body: object) -> tuple[int, dict[str, Any]]:
    """Send a POST of JSON; return the status and the JSON body, whatever the status."""
    headers = {"Content-Type": "application/json"}
    return _send(urllib.request.Request(url, json.dumps(body).encode(), headers))


@contextmanager
def calling(url: str, pause_s: float = 0.05) -> Iterator[Counter[str]]:
    """Call `url`/api/health again and again; count the answers by function version."""
    answers: Counter[str] = Counter()
    stop = threading.Event()

    def call() -> None:
        while not stop.wait(pause_s):
            try:
                status, body = get(f"{url}/api/health")
            except OSError as error:
                answers[f"failed: {error}"] += 1
            else:
                answers[body["functionVersion"] if status == 200 else f"failed: {status}"] += 1

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _send(request: urllib.request.Request) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(request, timeout=600) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
