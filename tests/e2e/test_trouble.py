"""Whatever goes wrong while releasing: live stays good, the ledger says so, the way on is open."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import http
from scratch.project import Project

pytestmark = pytest.mark.extended

ENVIRONMENT = ("--environment", "local")
FUNCTION = "mongo-client-local"
_LOGS = "python -m pipeline logs --environment local"


@pytest.fixture(scope="module")
def first(quick_cloud: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that has been released twice, so that there is something to go back to."""
    project = Project.copy_to(tmp_path_factory.mktemp("trouble") / "project", quick_cloud)
    for number in range(2):
        project.append_to_handler(f"\nGOOD = {number}\n")
        project.must("build")
        project.must("deploy", *ENVIRONMENT)
    return project


@pytest.fixture
def project(first: Project, tmp_path: Path) -> Project:
    """A copy of the released project, to be changed by one test."""
    project = Project.copy_to(tmp_path / "project", first.environment)
    project.handler.write_text(first.handler.read_text() + f"\n# {tmp_path.name}\n")
    (project.folder / "build").symlink_to(first.folder / "build")
    project.must("build", "--out", "bundle")
    return project


def _live_version(project: Project) -> str:
    alias = project.client("lambda").get_alias(FunctionName=FUNCTION, Name="live")
    return str(alias["FunctionVersion"])


def _live_weights(project: Project) -> dict[str, float]:
    alias = project.client("lambda").get_alias(FunctionName=FUNCTION, Name="live")
    routing = alias.get("RoutingConfig") or {}
    return dict(routing.get("AdditionalVersionWeights") or {})


def _newest(project: Project) -> dict[str, Any]:
    releases = json.loads(project.must("releases", *ENVIRONMENT, "--limit", "1", "--json"))
    found: dict[str, Any] = releases[0]
    return found


def _when(condition: Callable[[], bool], act: Callable[[], object]) -> threading.Thread:
    """Do something in the background as soon as a condition holds."""

    def wait() -> None:
        deadline = time.monotonic() + 120
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_version_that_fails_its_check_gets_no_traffic(project: Project) -> None:
    """It is called by its number first; live stays, nobody notices, the ledger says why."""
    before = _live_version(project)
    project.append_to_handler('\n\ndef lambda_handler(event, context):\n    raise OSError("bad")\n')
    project.must("build", "--out", "bundle")
    with http.calling(project.environment["API_URL"]) as answers:
        done = project.run("deploy", *ENVIRONMENT, "--bundle", "bundle")
    assert done.returncode == 1
    assert "error[check-failed]" in done.stderr and "OSError" in done.stderr
    assert _live_version(project) == before
    assert set(answers) == {before}
    newest = _newest(project)
    assert newest["outcome"] == "failed" and "OSError" in newest["error"]
    assert f"\ntraffic  unchanged: version {before} serves all of it\n" in done.stderr
    assert f"\nnext     {_LOGS} --version {newest['version']}\n" in done.stderr


def test_the_next_deployment_works_without_anyone_cleaning_up(project: Project) -> None:
    good = project.handler.read_text()
    project.handler.write_text(good + "\n\nlambda_handler = None\n")
    project.must("build", "--out", "broken")
    assert project.run("deploy", *ENVIRONMENT, "--bundle", "broken").returncode == 1
    project.handler.write_text(good)
    project.must("build", "--out", "bundle")
    project.must("deploy", *ENVIRONMENT, "--bundle", "bundle")
    assert _newest(project)["outcome"] == "succeeded"
    assert _newest(project)["version"] == _live_version(project)


def test_a_person_who_moves_live_meanwhile_wins(project: Project) -> None:
    """The deployment says so, changes no traffic, and is recorded as failed."""
    functions = project.client("lambda")
    before = _live_version(project)
    other = next(
        each["Version"]
        for each in functions.list_versions_by_function(FunctionName=FUNCTION)["Versions"]
        if each["Version"] not in ("$LATEST", before)
    )
    known = len(functions.list_versions_by_function(FunctionName=FUNCTION)["Versions"])
    person = _when(
        lambda: len(functions.list_versions_by_function(FunctionName=FUNCTION)["Versions"]) > known,
        lambda: functions.update_alias(FunctionName=FUNCTION, Name="live", FunctionVersion=other),
    )
    done = project.run("deploy", *ENVIRONMENT, "--bundle", "bundle")
    person.join()
    assert done.returncode == 1
    assert "error[lost-race]" in done.stderr and f"version {other}" in done.stderr
    assert _live_version(project) == other
    assert f"\ntraffic  moved by somebody else: version {other} serves all of it\n" in done.stderr
    assert _newest(project)["outcome"] == "failed"
    functions.update_alias(FunctionName=FUNCTION, Name="live", FunctionVersion=before)


@contextmanager
def _deploying(project: Project, bundle: str, phase: str) -> Iterator[subprocess.Popen[str]]:
    """Deploy in the background; give the process when it has come to a phase."""
    with _running(project, phase, "deploy", *ENVIRONMENT, "--bundle", bundle) as process:
        yield process


@contextmanager
def _running(project: Project, phase: str, *verb: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        project.command(*verb),
        cwd=project.folder,
        env=project.process_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        next(line for line in process.stderr if line.startswith(f"{phase} "))
        yield process


def test_a_cancelled_job_leaves_live_where_it_was(project: Project) -> None:
    """GitHub's runner sends SIGINT, and has patience for 7.5 s; exit 1, recorded as failed."""
    before = _live_version(project)
    with _deploying(project, "bundle", "10 %") as process:
        while not _live_weights(project):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        patience_ends = time.monotonic() + 7.5
        while _live_weights(project):
            assert time.monotonic() < patience_ends
            time.sleep(0.02)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert _live_version(project) == before
    assert f"\ntraffic  back at version {before}: version {before} serves all of it\n" in told
    assert (_newest(project)["outcome"], _newest(project)["error"]) == ("failed", "stopped")


def test_being_told_to_stop_while_terraform_applies_leaves_nothing_half_done(
    project: Project,
) -> None:
    """Twice, as GitHub does it. The same command, run again, ends what was begun; so it is with a
    rollback, which has restored the traffic by then.
    """
    old = _live_version(project)
    releases = json.loads(project.must("releases", *ENVIRONMENT, "--json"))
    old_release = next(each["release"] for each in releases if each["outcome"] == "succeeded")
    with _deploying(project, "bundle", "apply") as process:
        time.sleep(1)
        for number in (signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == 1
    assert (_live_version(project), _newest(project)["error"]) == (old, "stopped")
    project.must("deploy", *ENVIRONMENT, "--bundle", "bundle", "--all-at-once")
    new = _newest(project)
    assert (new["outcome"], new["version"]) == ("succeeded", _live_version(project))
    assert new["version"] != old and new["unusual"] == ["all at once"]

    rollback = ("rollback", *ENVIRONMENT, "--to", str(old_release))
    with _running(project, "apply", *rollback) as process:
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"\ntraffic  moved: version {old} serves all of it\n" in told
    assert f"\nnext     python -m pipeline {' '.join(rollback)}\n" in told
    assert (_live_version(project), _newest(project)["outcome"]) == (old, "failed")
    refused = project.run("deploy", *ENVIRONMENT, "--bundle", "bundle")
    assert "error[bundle-quarantined]" in refused.stderr
    project.must(*rollback)
    done = _newest(project)
    assert (_live_version(project), done["outcome"]) == (old, "succeeded")
    assert "nothing to do" in project.must(*rollback) and _newest(project) == done
    assert project.must("plan", *ENVIRONMENT, "--bundle", "live").strip() == "No changes."


def test_what_an_apply_changed_and_did_not_publish_is_published(project: Project) -> None:
    """Terraform takes such a change for done: "No changes". It agrees afterwards, too."""
    functions, known = project.client("lambda"), _live_version(project)
    manifest = json.loads((project.folder / "bundle" / "manifest.json").read_text())
    functions.update_function_code(
        FunctionName=FUNCTION,
        ZipFile=(project.folder / "bundle" / "lambda_function.zip").read_bytes(),
    )
    _terraform_takes_for_done(project, manifest)
    project.must("deploy", *ENVIRONMENT, "--bundle", "bundle")
    live = functions.get_function_configuration(FunctionName=FUNCTION, Qualifier="live")
    assert live["Version"] == _newest(project)["version"] != known
    assert live["CodeSha256"] == manifest["content"]["function"]["sha256_base64"]
    assert project.must("plan", *ENVIRONMENT, "--bundle", "live").strip() == "No changes."


def _terraform_takes_for_done(project: Project, manifest: dict[str, Any]) -> None:
    """Let the state say what a provider writes into it that was stopped before it published."""
    s3, bucket = project.client("s3"), "mongo-client-terraform-state-123456789012"
    state = json.load(s3.get_object(Bucket=bucket, Key="mongo-client/local.tfstate")["Body"])
    package = manifest["content"]["function"]
    [function] = [each for each in state["resources"] if each["type"] == "aws_lambda_function"]
    function["instances"][0]["attributes"] |= {
        "s3_key": f"packages/{package['sha256']}/lambda_function.zip",
        "source_code_hash": package["sha256_base64"],
    }
    state["serial"] += 1
    s3.put_object(Bucket=bucket, Key="mongo-client/local.tfstate", Body=json.dumps(state))


def test_a_rollback_takes_the_traffic_from_a_deployment_that_died(project: Project) -> None:
    """Killed while a tenth of the calls goes to it: what serves the rest gets them back."""
    before = _live_version(project)
    with _deploying(project, "bundle", "10 %") as process:
        while not _live_weights(project):
            time.sleep(0.02)
        process.kill()
    died = _newest(project)
    assert died["outcome"] == "under way"
    told = project.must("rollback", *ENVIRONMENT, "--reason", "its job is gone")
    assert f"bundle {died['bundle'][:12]} is in quarantine" in told
    assert (_live_version(project), _live_weights(project)) == (before, {})
    now, closed = json.loads(project.must("releases", *ENVIRONMENT, "--limit", "2", "--json"))
    assert (closed["release"], closed["outcome"]) == (died["release"], "interrupted")
    assert (now["kind"], now["outcome"], now["version"]) == ("rollback", "succeeded", before)


def test_a_held_state_lock_is_told_with_its_holder(project: Project) -> None:
    """A killed Terraform leaves its lock behind; nothing is changed, and the way out is named.

    If a release died with it, long enough ago, the next deployment takes it away.
    """
    s3 = project.client("s3")
    bucket, key = "mongo-client-terraform-state-123456789012", "mongo-client/local.tfstate.tflock"
    lock = {"ID": "3b5b", "Operation": "OperationTypeApply", "Who": "ada@desk", "Version": "1.11.4"}
    lock |= {"Info": "", "Created": "2026-01-02T03:04:05.67Z", "Path": f"{bucket}/{key}"}
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(lock).encode())
    before = _newest(project)
    done = project.run("deploy", *ENVIRONMENT, "--bundle", "bundle")
    assert done.returncode == 1
    assert "error[state-locked]" in done.stderr and "ada@desk" in done.stderr
    assert f"\ntraffic  not touched: version {_live_version(project)} serves all" in done.stderr
    assert _newest(project) == before
    [way_out] = re.findall(r"python -m pipeline (unlock .*)", done.stderr)
    another = project.run(*way_out.replace("3b5b", "4c6c").split())
    assert another.returncode == 1 and "error[terraform-failed]" in another.stderr
    assert "\ntraffic  unchanged: " in another.stderr and "\nnext     python" in another.stderr
    assert "is gone" in project.must(*way_out.split())
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(lock).encode())

    died = {name: value for name, value in before.items() if name not in ("release", "time")}
    died |= {"number": before["release"] + 1, "outcome": "interrupted", "kind": "deploy"}
    died |= {"began": "2026-01-02T03:04:00+00:00", "ended": "2026-01-02T03:09:00+00:00"}
    for part in ("begin", "end"):
        s3.put_object(
            Bucket="mongo-client-artifacts-123456789012",
            Key=f"ledger/local/{999_999 - died['number']:06d}/{part}.json",
            Body=json.dumps(died).encode(),
        )
    done = project.run("deploy", *ENVIRONMENT, "--bundle", "bundle", "--all-at-once")
    assert done.returncode == 0 and "ada@desk left" in done.stderr, done.stderr


def test_while_one_deploys_others_are_told_who(project: Project, tmp_path: Path) -> None:
    """Another deployment, and a rollback: both say who is at work, and change nothing."""
    project.must("build", "--out", "other")
    project.append_to_handler("\nimport time\ntime.sleep(7)\n")
    project.must("build", "--out", "slow")
    # Lambda's limit counts from when the function is loaded; the emulator's from before.
    variables = project.folder / "terraform/environments/local/terraform.tfvars"
    variables.write_text(variables.read_text() + "timeout_s = 29\n")
    elsewhere = project.environment | {"TF_DATA_DIR": str(tmp_path / "terraform")}
    others = [
        ("rollback", *ENVIRONMENT, "--reason", "impatience"),
        ("deploy", *ENVIRONMENT, "--bundle", "other"),
    ]
    with _deploying(project, "slow", "smoke") as winner:
        run = Project(project.folder, elsewhere).run
        with ThreadPoolExecutor(len(others)) as pool:
            lost = list(pool.map(lambda verb: run(*verb), others))
        _, told = winner.communicate(timeout=120)
    assert winner.returncode == 0, told
    slow = json.loads((project.folder / "slow" / "manifest.json").read_text())["id"]
    newest = _newest(project)
    for each in lost:
        assert each.returncode == 1 and "error[lost-race]" in each.stderr, each.stderr
        assert f"is at work: release {newest['release']}, a deploy of" in each.stderr
    assert (newest["bundle"], newest["outcome"]) == (slow, "succeeded")
    assert newest["version"] == _live_version(project)


def test_a_plan_that_replaces_the_function_is_refused(project: Project) -> None:
    """Unless a person asks for exactly that."""
    terraform = project.folder / "terraform/function.tf"
    terraform.write_text(
        terraform.read_text().replace("function_name = local.name", 'function_name = "renamed"')
    )
    address = "aws_lambda_function.function"
    done = project.run("plan", *ENVIRONMENT, "--bundle", "bundle")
    assert done.returncode == 1 and "error[plan-refused]" in done.stderr
    assert f"-/+ {address}: function_name\n" in done.stdout
    assert f"--allow-destroy {address}" in done.stderr
    assert "\ntraffic  unchanged: a plan moves none\n" in done.stderr
    before = _newest(project)
    refused = project.run("deploy", *ENVIRONMENT, "--bundle", "bundle")
    assert refused.returncode == 1 and _newest(project) == before
    assert re.search(
        "\nnext     python -m pipeline plan .* --bundle [0-9a-f]{12}\n", refused.stderr
    )
    word = ("--allow-destroy", address, "--allow-destroy", "aws_lambda_alias.live")
    project.must("plan", *ENVIRONMENT, "--bundle", "bundle", *word)


def test_a_stored_bundle_that_was_tampered_with_is_not_restored(project: Project) -> None:
    """Rollback proves the bundle's digests before it touches anything."""
    releases = json.loads(project.must("releases", *ENVIRONMENT, "--json"))
    succeeded = [each for each in releases if each["outcome"] == "succeeded"]
    target = next(each for each in succeeded if each["bundle"] != succeeded[0]["bundle"])
    s3, bucket = project.client("s3"), "mongo-client-artifacts-123456789012"
    manifest = json.load(
        s3.get_object(Bucket=bucket, Key=f"bundles/{target['bundle']}/manifest.json")["Body"]
    )
    digest = manifest["content"]["function"]["sha256"]
    key = f"packages/{digest}/lambda_function.zip"
    good = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.put_object(Bucket=bucket, Key=key, Body=good + b"x")
    try:
        before = (_live_version(project), _newest(project))
        done = project.run("rollback", *ENVIRONMENT, "--to", str(target["release"]))
        assert done.returncode == 1 and "error[bundle-unusable]" in done.stderr
        assert (_live_version(project), _newest(project)) == before
        assert f"\ntraffic  unchanged: version {before[0]} serves all of it\n" in done.stderr
    finally:
        s3.put_object(Bucket=bucket, Key=key, Body=good)


def test_a_layer_only_change_goes_there_and_back_and_there_again(project: Project) -> None:
    """The layer gets a new version and the old one stays, so a rollback restores it.

    If it did not stay, it is published again. Out of quarantine a person's word lets it.
    """
    lock = project.folder / "layer/requirements.txt"
    lines = lock.read_text().splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if line.startswith("dnspython"))
    end = next(number for number, line in enumerate(lines) if line.startswith("pymongo"))
    project.must("deploy", *ENVIRONMENT, "--bundle", "bundle", "--all-at-once")
    with_dns, version = _newest(project)["release"], _live_version(project)
    lock.write_text("".join(lines[:start] + lines[end:]))
    project.must("build", "--out", "slim")
    plan = json.loads(project.must("plan", *ENVIRONMENT, "--bundle", "slim", "--json"))
    assert {each["address"]: each["action"] for each in plan["changes"]} == {
        "aws_lambda_layer_version.layer[0]": "replace",
        "aws_lambda_function.function": "update",
    }
    project.must("deploy", *ENVIRONMENT, "--bundle", "slim", "--all-at-once")
    functions, slim = project.client("lambda"), _newest(project)["release"]

    def layer_of_live() -> str:
        live = functions.get_function_configuration(FunctionName=FUNCTION, Qualifier="live")
        return str(live["Layers"][0]["Arn"])

    slim_layer = layer_of_live()
    project.must("rollback", *ENVIRONMENT, "--to", str(with_dns))
    assert _live_version(project) == version
    layer_with_dns = layer_of_live()
    assert layer_with_dns != slim_layer
    shown = project.must("rollback", *ENVIRONMENT, "--to", str(slim), "--dry-run")
    assert "dnspython: 2." in shown and "→ none" in shown
    assert "it stays in quarantine, though it serves again" in shown

    word = ("--release-from-quarantine", "--reason", "it was the network")
    project.must("deploy", *ENVIRONMENT, "--bundle", "slim", "--all-at-once", *word)
    assert _newest(project)["reason"] == "it was the network"
    assert "nothing to do" in project.must("deploy", *ENVIRONMENT, "--bundle", "slim")

    name, layer_version = layer_with_dns.split(":")[-2:]
    functions.delete_layer_version(LayerName=name, VersionNumber=int(layer_version))
    project.must("rollback", *ENVIRONMENT, "--to", str(with_dns))
    assert layer_of_live() not in (layer_with_dns, slim_layer)
    assert _newest(project)["version"] == _live_version(project)
