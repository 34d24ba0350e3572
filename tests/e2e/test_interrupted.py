"""A deployment or a rollback is stopped, or dies: live stays good, and a command finishes it."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import Process, Service

pytestmark = pytest.mark.extended

STATE = {"Bucket": "mongo-client-terraform-state-123456789012", "Key": "mongo-client/local.tfstate"}


@pytest.fixture(scope="module")
def service(
    quick_cloud: dict[str, str], built_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """A service that has been released. A canary there is watched until it is interrupted."""
    folder = tmp_path_factory.mktemp("interrupted") / "project"
    service = Service.copy_to(folder, quick_cloud, built_bundle)
    service.project.folder.joinpath("terraform/environments/local/rollout.toml").write_text(
        "percents = [10, 100]\nwatch_s = 86400\nleast_calls = 1\nalarms = []\n"
    )
    # Here a job may take as long as it likes: the canary must still be there on a slow machine.
    budget = service.project.folder / "pipeline/config.py"
    text = budget.read_text()
    assert "\nJOB_S = 1800\n" in text
    budget.write_text(text.replace("\nJOB_S = 1800\n", "\nJOB_S = 1_000_000\n"))
    service.must("deploy", "--bundle", str(built_bundle))
    return service


def _wait_until(condition: Callable[[], bool], process: Process) -> None:
    while not condition():
        assert process.popen.poll() is None, process.stderr
        time.sleep(0.02)


def _versions(service: Service) -> set[str]:
    functions = service.client("lambda")
    listed = functions.list_versions_by_function(FunctionName=service.function_name)
    return {version["Version"] for version in listed["Versions"]}


def _is_locked_or_done(service: Service, versions: set[str]) -> bool:
    """Return whether Terraform holds the state's lock, or has published a version already."""
    locks = service.client("s3").list_objects_v2(
        Bucket=STATE["Bucket"], Prefix=f"{STATE['Key']}.tflock"
    )
    return bool(locks["KeyCount"]) or _versions(service) != versions


def test_a_stop_while_terraform_applies_leaves_nothing_half_done(service: Service) -> None:
    """With two signals, as GitHub sends them. The same command, run again, finishes.

    So does a rollback, which has restored the traffic by then: one release, of which Terraform is
    pending.
    """
    old, _ = service.live()
    old_release, versions = service.releases()[0]["release"], _versions(service)
    service.build("bundle", "STOPPED = 1")
    with service.running("deploy", "--bundle", "bundle") as process:
        process.wait_for("apply")
        _wait_until(lambda: _is_locked_or_done(service, versions), process)
        for number in (signal.SIGINT, signal.SIGTERM):
            process.popen.send_signal(number)
        assert process.wait() == 1
    assert (service.live(), service.releases()[0]["error"]) == ((old, {}), "stopped")
    service.must("deploy", "--bundle", "bundle", "--all-at-once")
    new = service.releases()[0]
    assert (new["outcome"], new["overrides"]) == ("succeeded", ["all at once"])
    assert service.live() == (new["version"], {}) and new["version"] != old

    rollback = ("rollback", "--to", str(old_release))
    with service.running(*rollback) as process:
        process.wait_for("apply")
        process.popen.send_signal(signal.SIGTERM)
        assert process.wait() == 1
    assert f"\ntraffic: moved: v{old} serves all of it\n" in process.stderr
    again = f"python -m pipeline rollback --environment local --to {old_release}"
    assert f"\nrun: {again}\n" in process.stderr
    restored = service.releases()[0]
    assert (service.live(), restored["outcome"]) == ((old, {}), "succeeded")
    assert restored["pending"] == ["terraform"] and "terraform pending" in service.must("releases")
    refused = service.run("deploy", "--bundle", "bundle")
    assert "error[bundle-quarantined]" in refused.stderr
    service.must(*rollback)
    done = service.releases()[0]
    assert (service.live(), done["release"], done["pending"]) == (
        *((old, {}), restored["release"], []),
    )
    assert "nothing to do" in service.must(*rollback) and service.releases()[0] == done
    assert service.must("plan", "--bundle", "live").strip() == "No changes."


def test_a_canary_whose_deployment_is_cancelled_or_dies_gives_its_traffic_back(
    service: Service,
) -> None:
    """GitHub's runner sends SIGINT first. While it lasts, others are refused, and learn who runs.

    If the process is killed, a rollback gives the calls back to the version that serves the rest.
    """
    before, _ = service.live()
    bundle = service.build("bundle", "CANARY = 1")
    service.build("other", "OTHER = 1")
    others = [("rollback", "--reason", "impatience"), ("deploy", "--bundle", "other")]
    with service.running("deploy", "--bundle", "bundle") as process:
        process.wait_for("10 %")
        _wait_until(lambda: service.live()[1] != {}, process)
        during = service.live()
        with ThreadPoolExecutor(len(others)) as pool:
            refused = list(pool.map(lambda command: service.run(*command), others))
        canary = service.releases()[0]
        assert (canary["bundle"], canary["outcome"]) == (bundle, "under way")
        for each in refused:
            assert each.returncode == 1 and "error[lost-race]" in each.stderr, each.stderr
            assert f"a deployment is under way: release #{canary['release']} of" in each.stderr
        assert service.live() == during and process.popen.poll() is None
        process.popen.send_signal(signal.SIGINT)
        assert process.wait() == 1
    assert service.live() == (before, {})
    back = f"\ntraffic: back at v{before}: v{before} serves all of it\n"
    assert back in process.stderr
    cancelled = service.releases()[0]
    assert (cancelled["release"], cancelled["outcome"], cancelled["error"]) == (
        canary["release"],
        "failed",
        "stopped",
    )

    with service.running("deploy", "--bundle", "bundle") as process:
        process.wait_for("10 %")
        _wait_until(lambda: service.live()[1] != {}, process)
        process.popen.kill()
        process.wait()
    died = service.releases()[0]
    assert died["outcome"] == "under way" and service.live()[1] != {}
    output = service.must("rollback", "--reason", "its job is gone")
    assert f"bundle {died['bundle'][:12]} is in quarantine" in output
    assert service.live() == (before, {})
    now, closed = service.releases()[:2]
    assert (closed["release"], closed["outcome"]) == (died["release"], "interrupted")
    assert (now["kind"], now["outcome"], now["version"]) == ("rollback", "succeeded", before)


def test_what_an_apply_changed_and_did_not_publish_is_published(service: Service) -> None:
    """The state says that such a change is done: "No changes". Terraform agrees afterwards, too."""
    functions, known = service.client("lambda"), _versions(service)
    service.build("bundle", "UNPUBLISHED = 1")
    bundle = service.project.folder / "bundle"
    package = json.loads((bundle / "manifest.json").read_text())["content"]["function"]
    functions.update_function_code(
        FunctionName=service.function_name, ZipFile=(bundle / "lambda_function.zip").read_bytes()
    )
    _write_into_the_state(service, package)
    service.must("deploy", "--bundle", "bundle", "--all-at-once")
    live = service.configuration()
    assert live["Version"] == service.releases()[0]["version"] not in known
    assert live["CodeSha256"] == package["sha256_base64"]
    assert service.must("plan", "--bundle", "live").strip() == "No changes."


def _write_into_the_state(service: Service, package: dict[str, Any]) -> None:
    """Write what a provider writes that was stopped before it published."""
    s3 = service.client("s3")
    state = json.load(s3.get_object(**STATE)["Body"])
    [function] = [
        resource for resource in state["resources"] if resource["type"] == "aws_lambda_function"
    ]
    function["instances"][0]["attributes"] |= {
        "s3_key": f"packages/{package['sha256']}/lambda_function.zip",
        "source_code_hash": package["sha256_base64"],
    }
    state["serial"] += 1
    s3.put_object(**STATE, Body=json.dumps(state))
