"""After a release: how it does, what it said, where it goes next, and what is cleared away."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from tests.support import http
from scratch.project import Project

pytestmark = pytest.mark.extended

LOCAL, STAGING, PRODUCTION = (
    ("--environment", name) for name in ("local", "staging", "production")
)
FUNCTION = "mongo-client-local"


@dataclass
class Seen:
    """A project with two releases, each called from outside as often as `calls` says."""

    project: Project
    first_bundle: str
    second_bundle: str
    calls: int

    def client(self, service: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.project.environment["AWS_ENDPOINT_URL"],
            region_name=self.project.environment["AWS_REGION"],
            aws_access_key_id="person",
            aws_secret_access_key="person",
        )

    def versions(self) -> set[str]:
        listed = self.client("lambda").list_versions_by_function(FunctionName=FUNCTION)
        return {each["Version"] for each in listed["Versions"]} - {"$LATEST"}


@pytest.fixture(scope="module")
def seen(quick_cloud: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Seen:
    project = Project.copy_to(tmp_path_factory.mktemp("afterwards") / "project", quick_cloud)
    bundles = []
    for number in range(2):
        project.append_to_handler(f"\nNUMBER = {number}\n")
        bundles.append(project.must("build").strip())
        project.must("deploy", *LOCAL, "--all-at-once")
        for _ in range(30):
            assert http.get(f"{quick_cloud['API_URL']}/api/health")[0] == 200
    return Seen(project, bundles[0], bundles[1], 30)


def test_metrics_compare_the_release_with_the_one_before(seen: Seen) -> None:
    """Every call of either counts, the pipeline's own first ones, too."""
    now, before = json.loads(seen.project.must("metrics", *LOCAL, "--json"))
    assert (now["release"], now["version"], before["release"]) == (2, "2", 1)
    for each in (now, before):
        assert seen.calls < each["invocations"] < seen.calls + 15
        assert each["errors"] == 0 and each["cold_starts"] >= 1
        assert 0 < each["duration_p50_ms"] <= each["duration_p95_ms"]
        assert each["init_duration_p50_ms"] > 0 and 20 < each["memory_used_mb"] < 256


def test_metrics_count_what_failed(seen: Seen) -> None:
    """What the function itself could not do, and what it answered with 5xx."""
    earlier = json.loads(seen.project.must("metrics", *LOCAL, "--json"))[0]
    functions = seen.client("lambda")
    functions.invoke(FunctionName=FUNCTION, Qualifier="2", Payload=b'"no HTTP event"')
    later = json.loads(seen.project.must("metrics", *LOCAL, "--json"))[0]
    assert later["invocations"] == earlier["invocations"] + 1


def test_metrics_are_a_table_for_people(seen: Seen) -> None:
    told = seen.project.must("metrics", *LOCAL)
    assert "release 2 (version 2)" in told and "release 1 (version 1)" in told
    for figure in ("invocations", "errors", "duration p95, ms", "memory used, MB", "cold starts"):
        assert figure in told


def test_metrics_of_nothing_are_a_clear_error(seen: Seen) -> None:
    done = seen.project.run("metrics", *STAGING)
    assert done.returncode == 1 and "nothing was ever released to staging" in done.stderr


def test_the_log_is_shown_by_version(seen: Seen) -> None:
    """With the two lines that people look for."""
    told = seen.project.must("logs", *LOCAL, "--version", "1").splitlines()
    assert told and all("Z [1] " in line for line in told)
    assert any("START RequestId: " in line for line in told)
    assert any("Method: GET, Path: /api/health" in line for line in told)
    assert " [2] " in seen.project.must("logs", *LOCAL)


def test_the_log_is_shown_by_request(seen: Seen) -> None:
    """All that was said in it, also what bears no id."""
    answer = seen.client("lambda").invoke(FunctionName=FUNCTION, Qualifier="live", Payload=b"[]")
    request_id = answer["ResponseMetadata"]["RequestId"]
    told = seen.project.must("logs", *LOCAL, "--request", request_id).splitlines()
    assert f"START RequestId: {request_id}" in told[0]
    assert any(
        f'{{"requestId": "{request_id}"' in line and '"status": 400' in line for line in told
    )
    assert len(re.findall("START RequestId", "\n".join(told))) == 1


def test_the_log_is_followed_until_ctrl_c(seen: Seen) -> None:
    """What is logged after the first line was shown is shown, too, and only once."""
    process = subprocess.Popen(
        seen.project.command("logs", *LOCAL, "--follow", "--since", "1s"),
        cwd=seen.project.folder,
        env=seen.project.process_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    starts = []
    at_the_latest = threading.Timer(60, process.kill)
    at_the_latest.start()
    with http.calling(seen.project.environment["API_URL"], pause_s=0.1):
        process.stdout.readline()
        later = datetime.now(UTC).isoformat(timespec="milliseconds")
        for line in process.stdout:
            if "START RequestId" in line:
                starts.append(line)
                if line > later:
                    break
    process.send_signal(signal.SIGINT)
    at_the_latest.cancel()
    process.stdout.read()
    process.stdout.close()
    assert process.wait(30) == 0
    assert len(starts) == len(set(starts))


@pytest.mark.parametrize("since", ["10", "1w", "soon"])
def test_a_span_that_is_none_is_refused(seen: Seen, since: str) -> None:
    done = seen.project.run("logs", *LOCAL, "--since", since)
    assert done.returncode == 2 and "span of time" in done.stderr


def test_production_takes_what_staging_serves_and_nothing_else(seen: Seen) -> None:
    """By --from, or by the bundle; what staging never ran needs a person's word."""
    project = seen.project
    done = project.run("deploy", *PRODUCTION, "--from", "staging")
    assert done.returncode == 1 and "nothing was ever released to staging" in done.stderr
    done = project.run("deploy", *PRODUCTION, "--bundle", seen.second_bundle)
    assert done.returncode == 1 and "error[not-promoted]" in done.stderr
    assert "--unproved --reason" in done.stderr
    done = project.run("deploy", *PRODUCTION, "--bundle", seen.second_bundle, "--unproved")
    assert done.returncode == 2 and "--reason" in done.stderr

    project.must("deploy", *STAGING, "--bundle", seen.first_bundle)
    told = project.must("deploy", *PRODUCTION, "--from", "staging")
    assert f"production serves bundle {seen.first_bundle[:12]}" in told
    word = ("--unproved", "--reason", "staging is on fire")
    project.must("deploy", *PRODUCTION, "--bundle", seen.second_bundle, *word)


def test_prune_keeps_what_is_needed_and_deletes_the_rest(seen: Seen) -> None:
    """Live, its canary, other aliases and the last releases stay; a dry run only tells."""
    functions, project = seen.client("lambda"), seen.project
    for number in range(3, 7):
        functions.update_function_configuration(FunctionName=FUNCTION, MemorySize=300 + number)
        functions.publish_version(FunctionName=FUNCTION)
    assert seen.versions() == {"1", "2", "3", "4", "5", "6"}
    functions.create_alias(FunctionName=FUNCTION, Name="kept", FunctionVersion="6")
    functions.update_alias(
        FunctionName=FUNCTION,
        Name="live",
        RoutingConfig={"AdditionalVersionWeights": {"4": 0.1}},
    )
    told = project.must("prune", *LOCAL, "--keep", "1", "--dry-run")
    assert [line.split()[:2] for line in told.splitlines() if "version" in line] == [
        ["version", number] for number in ("1", "3", "5")
    ]
    assert seen.versions() == {"1", "2", "3", "4", "5", "6"}
    assert "deleted 3 of 3" in project.must("prune", *LOCAL, "--keep", "1")
    assert seen.versions() == {"2", "4", "6"}
    assert "nothing to prune" in project.must("prune", *LOCAL, "--keep", "1")
    assert project.run("prune", *LOCAL, "--keep", "0").returncode == 2


def test_a_release_whose_version_was_pruned_is_published_again(seen: Seen) -> None:
    """From the stored bundle, and Terraform agrees afterwards."""
    project = seen.project
    functions = seen.client("lambda")
    functions.update_alias(FunctionName=FUNCTION, Name="live", RoutingConfig={})
    told = project.must("rollback", *LOCAL, "--reason", "the second was bad")
    assert "serves release 1 again" in told
    version = functions.get_alias(FunctionName=FUNCTION, Name="live")["FunctionVersion"]
    assert version not in {"1", "2", "3", "4", "5", "6"}
    status, body = http.get(f"{project.environment['API_URL']}/api/health")
    assert (status, body["functionVersion"]) == (200, version)
    assert project.must("plan", *LOCAL, "--bundle", seen.first_bundle).strip() == "No changes."


def test_a_mark_that_fails_changes_nothing(seen: Seen) -> None:
    """The release succeeds, and one line says what the dashboard lacks."""
    project = Project(
        seen.project.folder,
        # The pipeline's alone: Terraform's provider runs with settings of its own.
        seen.project.environment | {"AWS_ENDPOINT_URL_CLOUDWATCH": "http://127.0.0.1:9"},
    )
    project.append_to_handler("\nNUMBER = 7\n")
    project.must("build")
    done = project.run("deploy", *LOCAL, "--all-at-once")
    assert done.returncode == 0, done.stderr
    [line] = [each for each in done.stderr.splitlines() if "the dashboard has no mark" in each]
    assert "deploy" in line
    [newest] = json.loads(project.must("releases", *LOCAL, "--limit", "1", "--json"))
    assert newest["outcome"] == "succeeded"
