"""The demo: a change goes from source to a running function, and back, on this machine.

It types what a person would type. Everything is real but the account.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from demo import transcript
from localcloud import lifecycle
from pipeline import labels
from scratch.source import ROOT, copy_to

_CHANGE = """

_before_the_change = lambda_handler


def lambda_handler(event, context):
    answer = _before_the_change(event, context)
    answer["headers"]["x-demo"] = "this is the changed handler"
    return answer
"""
_CORRECTION = ("this is the changed handler", "this is the corrected handler")

# What the same steps took when a person typed them, in seconds, by our phase that replaces each.
_BY_HAND = {
    "store": (1, "cp lambda_function.zip backup.zip"),
    "build": (1, "zip lambda_function.zip lambda_function.py"),
    "plan": (10, "terraform plan"),
    "apply": (30, "terraform apply"),
    "smoke": (5, "call it and look at the log"),
}

_PATIENCE_S = 30

# Where the release page stays when all the rest of the demo is gone; git leaves it out.
PAGE = ROOT / "page" / "demo"

_console = Console(highlight=False, soft_wrap=True)


class DemoFailedError(Exception):
    """A step of the demo did not do what it must; the message says which."""


def run(page: Path) -> None:
    """Run the demo in a scratch copy and a cloud of its own; raise DemoFailedError if a step fails.

    All that stays is the release page, in the folder `page`.
    """
    with tempfile.TemporaryDirectory(prefix="demo-") as scratch:
        cloud = Path(scratch, "cloud")
        source = copy_to(Path(scratch, "source"))
        _title("Start AWS, the Lambda runtime, the HTTP front and MongoDB on this machine")
        try:
            lifecycle.up(cloud)
            text = _Demo(source, lifecycle.read_env(cloud), page).play()
        finally:
            _title("Stop everything")
            lifecycle.down(cloud)
    _title("What happened")
    for line in text:
        _console.print(line, markup=False)
    _console.print(f"The page of these releases: {(page / 'index.html').as_uri()}", markup=False)


class _Demo:
    def __init__(self, source: Path, settings: dict[str, str], page: Path) -> None:
        self._source = source
        self._settings = settings
        self._environment = os.environ | settings
        self._page = page

    def play(self) -> list[str]:
        """Run the demo, and return its summary, line by line."""
        _title("Build the bundle, and inspect it as a stranger's")
        self._pipeline("build --out build")
        self._pipeline("inspect build")
        _title("See what Terraform would do, and do it")
        self._pipeline("plan --environment local --bundle build")
        self._pipeline("deploy --environment local --bundle build --reason", "the first release")
        _title("Call it over HTTP")
        self._call("GET", "/api/health")
        self._call("POST", "/api/data/v1/action/insertOne", document={"drink": "coffee"})
        self._call("POST", "/api/data/v1/action/findOne", filter={"drink": "coffee"})
        _title("Change the handler, and deploy that while a client keeps calling")
        handler = self._source / "lambda_function.py"
        handler.write_text(handler.read_text() + _CHANGE)
        started = time.monotonic()
        self._pipeline("build --out build")
        build_s = time.monotonic() - started
        with _client(self._settings["API_URL"]) as while_deployed:
            self._pipeline("deploy --environment local --bundle build --reason", "the change")
        _show_answers(while_deployed)
        _title("Roll back, while a client keeps calling")
        with _client(self._settings["API_URL"]) as while_rolled_back:
            self._pipeline("rollback --environment local --reason", "we liked the old one better")
        _show_answers(while_rolled_back)
        _title("Terraform agrees: with the restored bundle there is nothing to change")
        releases = json.loads(self._pipeline("releases --environment local --json", quiet=True))
        self._pipeline(f"plan --environment local --bundle {releases[0]['bundle']}")
        _show_timeline(releases[1], build_s)
        _title("Deploy the corrected change")
        handler.write_text(handler.read_text().replace(*_CORRECTION))
        self._pipeline("build --out build")
        self._pipeline("deploy --environment local --bundle build --reason", "the correction")
        self._pipeline("releases --environment local")
        releases = json.loads(self._pipeline("releases --environment local --json", quiet=True))
        _title("Write the release page")
        self._pipeline("page --environment local --out", str(self._page))
        return [
            *transcript.lines(releases, {2: while_deployed, 3: while_rolled_back}),
            "Terraform  has nothing to change",
        ]

    def _pipeline(self, command: str, *more: str, quiet: bool = False) -> str:
        """Run a command as a person would; return its output if `quiet`."""
        words = [*shlex.split(command), *more]
        if not quiet:
            _console.print(f"[bold]$ python -m pipeline {shlex.join(words)}[/bold]")
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", *words],
            cwd=self._source,
            env=self._environment,
            stdout=subprocess.PIPE if quiet else None,
            text=True,
        )
        if done.returncode != 0:
            raise DemoFailedError(
                f"python -m pipeline {shlex.join(words)} exited {done.returncode}"
            )
        return done.stdout

    def _call(self, method: str, path: str, **fields: object) -> None:
        """Send a request as curl would, show it and its answer, and insist on success."""
        body = None
        headers = {"apiKey": self._settings["API_KEY"], "Content-Type": "application/json"}
        displayed = f"curl $API_URL{path}"
        if method == "POST":
            names = {"dataSource": "local", "database": "demo", "collection": "drinks"}
            body = json.dumps(names | fields).encode()
            displayed = (
                f'curl $API_URL{path} -H "apiKey: $API_KEY" --json {shlex.quote(body.decode())}'
            )
        _console.print(f"[bold]$ {displayed}[/bold]", markup=True)
        request = urllib.request.Request(
            self._settings["API_URL"] + path, body, headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                _console.print(f"{response.status} {response.read().decode()}", markup=False)
        except urllib.error.HTTPError as error:
            raise DemoFailedError(
                f"{path} answered {error.code}: {error.read().decode()}"
            ) from error


@contextmanager
def _client(api_url: str) -> Iterator[Counter[str]]:
    """Call /api/health again and again; count answers by the version that gave them.

    At the end it goes on until the version that serves then was met, too.
    """
    answers: Counter[str] = Counter()
    stop = threading.Event()

    def call() -> None:
        while not stop.wait(0.02):
            try:
                with urllib.request.urlopen(f"{api_url}/api/health", timeout=30) as response:
                    answers[labels.version(json.load(response)["functionVersion"])] += 1
            except (OSError, ValueError, KeyError):
                answers["failed"] += 1

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield answers
        deadline = time.monotonic() + _PATIENCE_S
        while len(answers) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        stop.set()
        thread.join()


def _show_answers(answers: Counter[str]) -> None:
    _console.print(f"Meanwhile {transcript.counted(answers)}")
    if answers["failed"] or len(answers) < 2:
        raise DemoFailedError("the client must see the old and the new version, and no failure")


def _show_timeline(release: dict[str, object], build_s: float) -> None:
    """Print the deployment's phases, and the durations of the same steps by hand."""
    phases = release["phases"]
    assert isinstance(phases, list)
    seconds = {"build": build_s} | {phase["name"]: phase["seconds"] for phase in phases}
    table = Table(title="\nThe deployment, in seconds", title_justify="left", box=None)
    for column in ("phase", "here", "by hand", "what was typed"):
        table.add_column(column, justify="right" if column in ("here", "by hand") else "left")
    for name, here_s in seconds.items():
        by_hand_s, typed = _BY_HAND.get(name, ("-", ""))
        table.add_row(name, f"{here_s:.1f}", str(by_hand_s), typed)
    by_hand = sum(by_hand_s for by_hand_s, _ in _BY_HAND.values())
    table.add_row("total", f"{sum(seconds.values()):.1f}", str(by_hand))
    _console.print(table)


def _title(text: str) -> None:
    _console.print(f"\n[bold cyan]== {text}[/bold cyan]")
