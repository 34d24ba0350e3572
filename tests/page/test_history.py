"""What the release page's data holds, from a ledger, manifests, a quarantine and a log."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.release import quarantine, rollback_target
from pipeline.report.release_page import collect, data
from pipeline.aws import Aws, create_object
from pipeline.bundle.manifest import Manifest, Package
from pipeline.errors import ReleaseUnusableError
from pipeline.release.ledger import Ledger, Release
from pipeline.packaging import zip_writer
from pipeline.traffic import log_reader
from pipeline.traffic.alias import Live
from pipeline.traffic.statistics import Figures
from pipeline.target import Target
from tests.page import factories

_HOURS = 720


class Log:
    """CloudWatch Logs with one function's log in it, as far as FilterLogEvents goes."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, int, str]] = []
        self._named = False

    def call(
        self,
        version: str,
        began: datetime,
        init_ms: int | None = None,
        *,
        bad: bool = False,
        answered: bool = True,
    ) -> None:
        """Add what Lambda writes of one call, to the stream of an environment started then.

        Every other stream has the function's name in its own, as in a log group that was named.
        """
        self._named = not self._named
        name = factories.PRODUCTION.function_name if self._named else ""
        stream = f"{began:%Y/%m/%d}/{name}[{version}]c0ffee{len(self.lines)}"
        request, at = f"request-{len(self.lines)}", int(began.timestamp() * 1000)
        init = f"\tInit Duration: {init_ms}.00 ms" if init_ms else ""
        parts = [f"START RequestId: {request} Version: {version}"]
        parts += [json.dumps({"requestId": request, "status": 503 if bad else 200})] * answered
        parts += [f"REPORT RequestId: {request}\tDuration: 2.50 ms\tMax Memory Used: 88 MB{init}"]
        self.lines += [(stream, at, line) for line in parts]

    def get_paginator(self, _: str) -> Log:
        return self

    def paginate(
        self, *, startTime: int, endTime: int = sys.maxsize, **more: Any
    ) -> Iterator[dict[str, Any]]:
        yield {
            "events": [
                {"logStreamName": stream, "timestamp": at, "message": line}
                for stream, at, line in self.lines
                if startTime <= at <= endTime
                and stream.startswith(more.get("logStreamNamePrefix", ""))
            ]
        }


@pytest.fixture
def log(account: Aws) -> Log:
    """The log of the account's function."""
    log = Log()
    account.__dict__["logs"] = log
    return log


def _record(account: Aws, *releases: Release, manifests: bool = True) -> None:
    """Write releases into the ledger, the oldest first, with the manifests of their bundles."""
    records = Ledger(Target(account, factories.PRODUCTION))
    known = {
        release.id: release for release in (factories.manifest(one.number) for one in releases)
    }
    for release in releases:
        records.begin(replace(release, outcome="under way"))
        if release.outcome != "under way":
            records.end(release)
        if manifests and release.bundle in known:
            _store(account, known[release.bundle])


def _store(account: Aws, manifest: Manifest) -> None:
    create_object(account, f"bundles/{manifest.id}/manifest.json", manifest.to_text().encode())


def _document(account: Aws) -> dict[str, Any]:
    """Return the page's data as the JSON that the browser gets."""
    page_history = collect.collect(Target(account, factories.PRODUCTION), _HOURS)
    return dict(json.loads(json.dumps(data.document(page_history))))


def _lately(number: int, hours_ago: float, **more: Any) -> Release:
    began = datetime.now(UTC) - timedelta(hours=hours_ago)
    ended = began + timedelta(minutes=2)
    return factories.release(number, began=began.isoformat(), ended=ended.isoformat(), **more)


def test_it_lists_every_release_newest_first(account: Aws, log: Log) -> None:
    """With how it ended, by whom, why, what was unusual, and where the time went."""
    failed = factories.release(2, outcome="failed", error="the check failed\nTraceback")
    rollback = factories.release(3, kind="rollback", restores=1, bundle=factories.manifest(1).id)
    _record(account, factories.release(1, overrides=("all at once",)), failed, rollback)
    text = _document(account)
    assert [release["number"] for release in text["releases"]] == [3, 2, 1]
    third, second, first = text["releases"]
    assert (third["kind"], third["restores"]) == ("rollback", 1)
    assert (second["outcome"], second["error"]) == ("failed", "the check failed\nTraceback")
    assert first["overrides"] == ["all at once"] and "overrides" not in second
    assert first["actor"] == "grace" and first["commit"] == factories.manifest(1).commit
    assert first["began"] == f"{factories.release(1).began[:19]}Z"
    phases = [(text["phases"][name], seconds) for name, seconds in first["phases"]]
    assert phases == [(phase.name, phase.seconds) for phase in factories.release(1).phases]
    assert third["bundle"] == first["bundle"] != second["bundle"]


def test_a_release_under_way_is_reported_as_it_is(account: Aws, log: Log) -> None:
    _record(account, factories.release(1), factories.release(2, outcome="under way", ended=None))
    newest = _document(account)["releases"][0]
    assert newest["outcome"] == "under way" and "ended" not in newest


def test_a_bundle_is_reported_with_every_file_once(account: Aws, log: Log) -> None:
    """Two releases have the same layer, so its files are there once."""
    _record(account, factories.release(1), factories.release(2))
    text = _document(account)
    first, layer = factories.manifest(1).packages()
    assert len(text["bundles"]) == 2 and len(text["packages"]) == 3
    assert len(text["files"]) == 1 + len(first.files) + len(layer.files)
    for release in text["releases"]:
        manifest, bundle = factories.manifest(release["number"]), text["bundles"][release["bundle"]]
        assert bundle["id"] == manifest.id and bundle["needs"] == manifest.dependencies
        assert bundle["runtime"] == "python3.13" and bundle["architecture"] == "x86_64"
        packages = [text["packages"][each] for each in bundle["packages"]]
        assert [each["size"] for each in packages] == [p.size_bytes for p in manifest.packages()]
        for package, expected in zip(packages, manifest.packages(), strict=True):
            assert [text["files"][each] for each in package["files"]] == [
                [file.path, file.size_bytes, file.sha256[:12]] for file in expected.files
            ]


def test_a_bundle_in_quarantine_is_reported_with_who_and_why(account: Aws, log: Log) -> None:
    rollback = factories.release(3, kind="rollback", restores=1, reason="checkout fails")
    _record(account, factories.release(1), factories.release(2), rollback)
    quarantine.add(Target(account, factories.PRODUCTION), factories.manifest(2).id, rollback)
    text = _document(account)
    why = {
        release["number"]: text["bundles"][release["bundle"]].get("quarantined")
        for release in text["releases"]
    }
    assert why[1] is None and why[2].endswith(
        f"by {rollback.actor} at {rollback.began}: checkout fails"
    )


def test_a_manifest_that_is_missing_or_damaged_is_left_out(account: Aws, log: Log) -> None:
    """The page has the release, and it cannot be restored."""
    _record(account, factories.release(1), factories.release(2), manifests=False)
    key = f"bundles/{factories.manifest(2).id}/manifest.json"
    account.s3.put_object(Bucket=account.artifact_bucket, Key=key, Body=b'{"id": 1}')
    text = _document(account)
    assert all("packages" not in bundle for bundle in text["bundles"])
    assert text["releases"][1]["restore"] == "Its bundle is damaged in the store, or missing."


def test_an_environment_without_a_release_is_reported_too(account: Aws, log: Log) -> None:
    text = _document(account)
    assert (text["releases"], text["shares"], text["serving"]) == ([], [], None)


def test_the_releases_that_can_be_restored_are_those_that_a_rollback_takes(
    account: Aws, log: Log
) -> None:
    """Whichever number the page offers, `rollback --to` restores; and it offers each it would."""
    again = factories.release(
        7, bundle=factories.manifest(3).id, version="3", kind="rollback", restores=3
    )
    failed = {number: factories.release(number, outcome="failed") for number in (2, 8)}
    releases = {number: factories.release(number) for number in range(1, 9)} | failed | {7: again}
    _record(account, *releases.values())
    live = Live("3", (), "revision")
    offered = {
        release["number"]: release.get("restore") for release in _document(account)["releases"]
    }
    for number, offer in offered.items():
        try:
            way = rollback_target.choose(Target(account, factories.PRODUCTION), live, number)
        except ReleaseUnusableError:
            assert offer is not True, number
        else:
            assert (offer, way.release.number) == (True, number)
    assert {number for number, offer in offered.items() if offer is True} == {1, 4, 5, 6}
    assert offered[3] == "v3 serves already." and offered[2] is offered[8] is None


def test_a_release_whose_runtime_is_too_old_says_so(account: Aws, log: Log) -> None:
    old = factories.manifest(1, runtime="python3.9")
    _store(account, old)
    _record(account, factories.release(1, bundle=old.id), factories.release(2))
    text = _document(account)
    assert text["releases"][1]["restore"] == "AWS takes no more updates of functions on python3.9."


def test_each_release_has_the_figures_of_its_own_calls(account: Aws, log: Log) -> None:
    """From its beginning until the next one has taken over; of its version alone."""
    first, second = _lately(1, 5), _lately(2, 3)
    back = _lately(3, 1, kind="rollback", restores=1, version="1", bundle=factories.manifest(1).id)
    _record(account, first, second, back)
    began = {each.number: datetime.fromisoformat(each.began) for each in (first, second, back)}
    second_s, minute, hour = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
    log.call("1", began[1] + second_s, init_ms=140)
    log.call("1", began[1] + hour, bad=True)
    log.call("1", began[2] + minute)  # while the second one's canary has a share
    log.call("2", began[2] + second_s, init_ms=180, bad=True)
    log.call("2", began[2] + hour)
    log.call("11", began[1] + hour)  # another version, whose number begins the same
    log.call("1", began[3] + second_s, init_ms=150)
    log.call("1", began[3] + second_s, answered=False)
    text = {release["number"]: release.get("figures") for release in _document(account)["releases"]}
    of_all = {"cold": 1, "p95": 2.5, "memory": 88}
    assert text[1] == of_all | {"calls": 3, "errors": 1, "init": 140.0}
    assert text[2] == of_all | {"calls": 2, "errors": 1, "init": 180.0}
    assert text[3] == of_all | {"calls": 2, "errors": 0, "unknown": 1, "init": 150.0}


def test_the_figures_agree_with_those_of_metrics(account: Aws, log: Log) -> None:
    """Both count a 5xx as an error, and an unknown outcome as unknown, from the same lines."""
    release = _lately(1, 5)
    _record(account, release)
    began = datetime.fromisoformat(release.began)
    for number in range(40):
        at = began + timedelta(minutes=number)
        log.call("1", at, init_ms=9, bad=number % 8 == 0, answered=number % 10 != 1)
    [found] = _document(account)["releases"]
    calls = log_reader.read(Target(account, factories.PRODUCTION), int(1000 * began.timestamp()))
    metrics = Figures.of(calls)
    assert (metrics.invocations, metrics.errors, metrics.unknown) == (40, 5, 4)
    figures = found["figures"]
    assert (figures["calls"], figures["errors"], figures["unknown"]) == (40, 5, 4)
    assert figures.get("p95") == metrics.duration_p95_ms


def test_a_release_whose_calls_the_log_forgot_has_no_figures(account: Aws, log: Log) -> None:
    """Nor one that is older than what was to be read."""
    old, forgotten = _lately(1, _HOURS + 1), _lately(2, 2)
    _record(account, old, forgotten)
    log.call("1", datetime.fromisoformat(old.began) + timedelta(seconds=1))
    assert all("figures" not in release for release in _document(account)["releases"])


def test_of_a_busy_releases_calls_the_first_thousands_are_read(account: Aws, log: Log) -> None:
    """All that a busy function wrote in a month would take hours."""
    _record(account, _lately(1, 2))
    began = datetime.fromisoformat(_lately(1, 1.9).began)
    for _ in range(4_000):
        log.call("1", began)
    [release] = _document(account)["releases"]
    assert release["figures"]["calls"] == 1_666  # of three lines each


def test_the_source_of_a_release_is_compared_with_that_of_the_release_before(
    account: Aws, log: Log
) -> None:
    """If both packages are whole in the store. Two releases of a bundle differ in nothing."""
    texts = {1: "a\nb\n", 2: "a\nc\nd\n", 3: "a\nc\nd\n# token " + "ghp_" + "a1B2" * 9 + "\n"}
    manifests = {}
    for number, text in texts.items():
        archive = zip_writer.write_zip({"lambda_function.py": text.encode()})
        package = Package.of("lambda_function.zip", archive)
        manifests[number] = factories.manifest(number, function=package)
        _store(account, manifests[number])
        create_object(account, f"packages/{package.sha256}/{package.name}", archive)
    local = {number: {"bundle": each.id, "run": None} for number, each in manifests.items()}
    again = factories.release(4, **local[3])
    missing = factories.release(5, run=None)
    releases = [factories.release(number, **more) for number, more in local.items()]
    _record(account, *releases, again, missing)
    found = {release["number"]: release.get("source") for release in _document(account)["releases"]}
    assert found[2] == [
        {
            "path": "lambda_function.py",
            "added": 2,
            "removed": 1,
            "lines": ["@@ -1,2 +1,3 @@", " a", "-b", "+c", "+d"],
        }
    ]
    assert found[3][0]["added"] == 1 and "ghp_" not in json.dumps(found[3])
    assert found[1] is found[4] is found[5] is None


def test_the_console_is_linked_on_aws_alone(account: Aws, log: Log) -> None:
    assert _document(account)["links"] == {}
    on_aws = account.session.client("lambda")
    target = Target(replace(account, functions=on_aws), factories.PRODUCTION)
    links = collect._links(target, "https://api.example.com")
    console = "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
    assert links == {
        "api": "https://api.example.com",
        "log": f"{console}#logsV2:log-groups/log-group/"
        "$252Faws$252Flambda$252Fmongo-client-production",
        "dashboard": f"{console}#dashboards/dashboard/mongo-client-production",
    }
