"""Calls that are wrong in a small way: the answer names what was meant, or what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError

from pipeline import aws
from pipeline.aws import Aws
from pipeline.bundle import store
from pipeline.bundle.manifest import Bundle
from pipeline.cli.main import main
from pipeline.config import Environment
from pipeline.release.ledger import Ledger
from pipeline.target import Target
from pipeline.traffic import alias, log_reader
from pipeline.traffic.alias import Live
from tests.support.environments import deployment

type Front = Callable[..., tuple[int, str]]


@pytest.fixture
def front(
    account: Aws,
    built_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Front:
    """Return what calls the command line. Staging has the releases 1 to 4, of which 4 serves."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(aws, "connect", lambda: account)
    monkeypatch.setattr(alias, "read", lambda _: Live("4", (), "r"))
    monkeypatch.setattr(log_reader, "events", lambda *_: iter(()))
    store.put(account, Bundle.read(built_bundle))
    records = Ledger(Target(account, Environment("staging")))
    for number in range(1, 5):
        release = deployment(number, str(number), "failed" if number == 3 else "succeeded")
        for part in ("begin", "end"):
            assert records._create(replace(release, number=number), part)

    def call(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["pipeline", *words])
        with pytest.raises(SystemExit) as ended:
            main()
            sys.exit(0)
        return int(str(ended.value.code)), capsys.readouterr().err

    return call


@pytest.mark.parametrize(
    ("call", "status", "words"),
    [
        ("status -e stagin", 2, ["Did you mean 'staging'?"]),
        ("plan -e staging --bundle ID4", 1, ["nor long enough", "mean 'ID7'?", "7 digits"]),
        ("deploy -e staging --bundle ID6", 1, ["nor long enough", "mean 'ID7'?", "7 digits"]),
        ("deploy -e staging --bundle fffffff", 1, ["neither a folder nor", "7 digits are enough"]),
        ("plan -e staging --bundle Live", 1, ["Did you mean 'live'?"]),
        ("rollback -e staging --to 4", 1, ["release #4 serves already", "#2    v2"]),
        ("rollback -e staging --to v4", 1, ["release #4 serves already"]),
        ("rollback -e staging --to #3", 1, ["release #3 did not succeed (failed)"]),
        (
            "rollback -e staging --to v9",
            1,
            ["that succeeded has v9", "run: python -m pipeline rel"],
        ),
        ("rollback -e staging --to last", 2, ["'last' is not the number of a release", "24 or"]),
        ("logs -e staging --version 99", 0, ["nothing of v99 in the last 10m", "--since"]),
        ("logs -e staging --release 2 --since 2h", 0, ["nothing of v2 in the last 2h"]),
        ("logs -e staging --release 99", 1, ["release #99 of staging does not exist"]),
        ("logs -e staging --release v2", 2, ["'v2' is a version; this takes the number of"]),
        ("logs -e staging --request nonesuch", 0, ["nothing of request nonesuch in the"]),
        ("unlock -e staging abc", 2, ["staging has no lock abc: it is not locked"]),
        ("doctor --repository foo", 2, ["'foo' is not OWNER/NAME"]),
        ("bootstrap --repository foo --yes", 2, ["'foo' is not OWNER/NAME"]),
    ],
)
def test_the_answer_to_a_wrong_call_leads_to_the_right_one(
    front: Front, built_bundle: Path, call: str, status: int, words: list[str]
) -> None:
    bundle = Bundle.read(built_bundle).id
    for digits in (4, 6, 7):
        call = call.replace(f"ID{digits}", bundle[:digits])
        words = [word.replace(f"ID{digits}", bundle[:digits]) for word in words]
    ended, printed = front(*call.split())
    text = " ".join(printed.split())
    assert ended == status, printed
    assert all(" ".join(word.split()) in text for word in words), printed


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("http://127.0.0.1:4566", ["the local cloud is not running", "run: make up && . .loc"]),
        ("", ["cannot reach AWS", "Check the network, the region"]),
    ],
)
def test_a_local_cloud_that_is_down_is_named(
    front: Front, monkeypatch: pytest.MonkeyPatch, endpoint: str, words: list[str]
) -> None:
    def connect() -> Aws:
        raise EndpointConnectionError(endpoint_url=endpoint or "https://sts.amazonaws.com")

    monkeypatch.setattr(aws, "connect", connect)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    ended, printed = front("releases", "-e", "staging")
    assert ended == 1 and all(word in printed for word in words), printed
