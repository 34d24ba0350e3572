"""After a release: its figures, its log, its promotion, and what is deleted in the end."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support import http
from tests.support.service import Service
from scratch.project import Project, Result

pytestmark = pytest.mark.extended

_CALLS = 30
_FAILS_ON_DEMAND = """

_inner = lambda_handler


def lambda_handler(event, context):
    assert event != "fail"
    return _inner(event, context)
"""


@dataclass(frozen=True)
class Seen:
    """Production with two releases, each called from outside as often as `_CALLS` says.

    Staging serves the first of them. What was refused on the way, and the second, which could not
    be marked.
    """

    production: Service
    api: str
    first_bundle: str
    unproved: Result
    promoted: Result
    unmarked: Result

    def versions(self) -> set[str]:
        functions = self.production.client("lambda")
        name = self.production.function_name
        listed = functions.list_versions_by_function(FunctionName=name)
        return {version["Version"] for version in listed["Versions"]} - {"$LATEST"}

    def figures(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.production.must("metrics", "--json"))
        return found


@pytest.fixture(scope="module")
def seen(
    quick_cloud: dict[str, str], built_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Seen:
    folder = tmp_path_factory.mktemp("afterwards") / "project"
    production = Service.copy_to(folder, quick_cloud, built_bundle, "production")
    api = quick_cloud["API_URL"].replace("mongo-client-local", production.function_name)

    def call() -> None:
        for _ in range(_CALLS):
            assert http.get(f"{api}/api/health")[0] == 200

    bundle = ("--bundle", str(built_bundle))
    unproved = production.run("deploy", *bundle)
    first_bundle = production.build("first")
    production.project.must("deploy", "--environment", "staging", *bundle)
    promoted = production.run("deploy", "--from", "staging")
    call()

    production.build("second", _FAILS_ON_DEMAND)
    without_cloudwatch = Project(
        folder,
        # The pipeline's alone: Terraform's provider runs with settings of its own.
        production.project.environment | {"AWS_ENDPOINT_URL_CLOUDWATCH": "http://127.0.0.1:9"},
    )
    unmarked = without_cloudwatch.run(
        *("deploy", "--environment", "production", "--bundle", "second"),
        *("--all-at-once", "--skip-promotion-check", "--reason", "staging is on fire"),
    )
    call()
    return Seen(production, api, first_bundle, unproved, promoted, unmarked)


def test_production_takes_what_staging_serves_and_nothing_else(seen: Seen) -> None:
    """What staging never served needs a person's word."""
    assert seen.unproved.returncode == 1 and "error[not-promoted]" in seen.unproved.stderr
    assert seen.promoted.returncode == 0, seen.promoted.stderr
    assert f"production serves bundle {seen.first_bundle[:12]}" in seen.promoted.stdout
    second, first = seen.production.releases()
    assert (first["bundle"], first["overrides"]) == (seen.first_bundle, [])
    assert second["overrides"] == ["all at once", "promotion check skipped"]
    assert second["reason"] == "staging is on fire"


def test_a_mark_that_fails_changes_nothing(seen: Seen) -> None:
    """The release succeeds, and one line says what the dashboard lacks."""
    assert seen.unmarked.returncode == 0, seen.unmarked.stderr
    lines = seen.unmarked.stderr.splitlines()
    [line] = [each for each in lines if "the dashboard has no marker" in each]
    assert "deploy" in line
    assert seen.production.releases()[0]["outcome"] == "succeeded"


def test_metrics_compare_the_release_with_the_one_before(seen: Seen) -> None:
    """Every call of either counts, the pipeline's own first ones, too; and every error."""
    now, before = seen.figures()
    assert (now["release"], now["version"], before["release"]) == (2, "2", 1)
    for each in (now, before):
        assert _CALLS < each["invocations"] < _CALLS + 15
        assert each["errors"] == 0 and each["cold_starts"] >= 1
        assert 0 < each["duration_p50_ms"] <= each["duration_p95_ms"]
        assert each["init_duration_p50_ms"] > 0 and 20 < each["memory_used_mb"] < 256
    seen.production.client("lambda").invoke(
        FunctionName=seen.production.function_name, Qualifier="2", Payload=b'"fail"'
    )
    later = seen.figures()[0]
    assert (later["invocations"], later["errors"]) == (now["invocations"] + 1, 1)


def test_metrics_are_a_table_for_people(seen: Seen) -> None:
    table = seen.production.must("metrics")
    assert "#2 (v2)" in table and "#1 (v1)" in table
    for figure in ("invocations", "errors", "duration p95, ms", "memory used, MB", "cold starts"):
        assert figure in table


def test_metrics_of_nothing_are_a_clear_error(seen: Seen) -> None:
    done = seen.production.project.run("metrics", "--environment", "local")
    assert done.returncode == 1 and "local has no releases" in done.stderr


def test_the_log_is_filtered_by_version(seen: Seen) -> None:
    """With the two lines that people look for."""
    lines = seen.production.must("logs", "--since", "1d", "--version", "1").splitlines()
    assert lines and all("Z [v1] " in line for line in lines)
    assert any("START RequestId: " in line for line in lines)
    assert any("Method: GET, Path: /api/health" in line for line in lines)
    assert " [v2] " in seen.production.must("logs", "--since", "1d")


def test_the_log_is_filtered_by_request(seen: Seen) -> None:
    """All that was written in it, also what bears no id."""
    answer = seen.production.client("lambda").invoke(
        FunctionName=seen.production.function_name, Qualifier="live", Payload=b"[]"
    )
    request_id = answer["ResponseMetadata"]["RequestId"]
    lines = seen.production.must("logs", "--since", "1d", "--request", request_id).splitlines()
    assert f"START RequestId: {request_id}" in lines[0]
    assert any(
        f'{{"requestId": "{request_id}"' in line and '"status": 400' in line for line in lines
    )
    assert len(re.findall("START RequestId", "\n".join(lines))) == 1


def test_the_log_is_followed_until_ctrl_c(seen: Seen) -> None:
    """What is logged after the first line follows, each line once."""
    project = seen.production.project
    process = subprocess.Popen(
        project.command("logs", "--environment", "production", "--follow", "--since", "1s"),
        cwd=project.folder,
        env=project.process_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    starts = []
    with http.calling(seen.api, pause_s=0.1):
        process.stdout.readline()
        later = datetime.now(UTC).isoformat(timespec="milliseconds")
        for line in process.stdout:
            if "START RequestId" in line:
                starts.append(line)
                if line > later:
                    break
    process.send_signal(signal.SIGINT)
    process.stdout.read()
    process.stdout.close()
    assert process.wait() == 0
    assert starts and len(starts) == len(set(starts))


def test_prune_keeps_what_is_needed_and_what_it_deleted_comes_back(seen: Seen) -> None:
    """Live, its canary, other aliases and the last releases stay; a dry run deletes nothing.

    A release whose version was deleted is published again, from the stored bundle; Terraform agrees
    afterwards.
    """
    production, name = seen.production, seen.production.function_name
    functions = production.client("lambda")
    for number in range(3, 7):
        functions.update_function_configuration(FunctionName=name, MemorySize=300 + number)
        functions.publish_version(FunctionName=name)
    assert seen.versions() == {"1", "2", "3", "4", "5", "6"}
    functions.create_alias(FunctionName=name, Name="kept", FunctionVersion="6")
    functions.update_alias(
        FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {"4": 0.1}}
    )
    table = production.must("prune", "--keep", "1", "--dry-run")
    assert [line.split()[:2] for line in table.splitlines() if "version" in line] == [
        ["version", number] for number in ("v1", "v3", "v5")
    ]
    assert seen.versions() == {"1", "2", "3", "4", "5", "6"}
    assert "deleted 3 of 3" in production.must("prune", "--keep", "1")
    assert seen.versions() == {"2", "4", "6"}
    assert "nothing to prune" in production.must("prune", "--keep", "1")
    assert production.run("prune", "--keep", "0").returncode == 2

    functions.update_alias(FunctionName=name, Name="live", RoutingConfig={})
    output = production.must("rollback", "--reason", "the second was bad")
    assert "serves release #1 again" in output
    version, _ = production.live()
    assert version not in {"1", "2", "3", "4", "5", "6"}
    status, body = http.get(f"{seen.api}/api/health")
    assert (status, body["functionVersion"]) == (200, version)
    assert production.must("plan", "--bundle", seen.first_bundle).strip() == "No changes."
