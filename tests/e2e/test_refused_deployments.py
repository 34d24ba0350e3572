"""Deployments that are refused: a locked state, a plan that replaces the function."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.service import Service

pytestmark = pytest.mark.extended

LOCK_FILE = {
    "Bucket": "mongo-client-terraform-state-123456789012",
    "Key": "mongo-client/local.tfstate.tflock",
}
LOCK = {"ID": "3b5b", "Operation": "OperationTypeApply", "Who": "ada@desk", "Version": "1.11.4"}
LOCK |= {"Info": "", "Created": "2026-01-02T03:04:05.67Z", "Path": "a/path"}


@pytest.fixture(scope="module")
def service(
    quick_cloud: dict[str, str], built_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """A service that has been released, and a bundle that has not. It waits briefly for locks."""
    folder = tmp_path_factory.mktemp("refused") / "project"
    service = Service.copy_to(folder, quick_cloud, built_bundle)
    source = service.project.folder / "pipeline/terraform/runner.py"
    usual = source.read_text()
    source.write_text(usual.replace("_LOCK_PATIENCE_S = 20", "_LOCK_PATIENCE_S = 1"))
    assert source.read_text() != usual
    service.must("deploy", "--bundle", str(built_bundle))
    service.build("bundle", "REFUSED = 1")
    return service


def test_a_plan_that_replaces_the_function_is_not_applied(service: Service) -> None:
    """Unless a person allows exactly that."""
    terraform = service.project.folder / "terraform/function.tf"
    usual = terraform.read_text()
    renamed = usual.replace("function_name = local.name", 'function_name = "renamed"')
    terraform.write_text(renamed)
    assert renamed != usual
    address, before = "aws_lambda_function.service", (service.releases(), service.live())
    refused = service.run("deploy", "--bundle", "bundle")
    guarded = (address, "aws_lambda_alias.live", "aws_lambda_permission.api")
    word = [f"--allow-destroy={each}" for each in guarded]
    allowed = service.must("plan", "--bundle", "bundle", *word)
    terraform.write_text(usual)
    assert refused.returncode == 1 and "error[plan-refused]" in refused.stderr
    assert f"--allow-destroy {address}" in refused.stderr
    assert (service.releases(), service.live()) == before
    next_step = r"\nrun: python -m pipeline plan .* --bundle [0-9a-f]{12}\n"
    assert re.search(next_step, refused.stderr)
    assert f"-/+ {address}: function_name\n" in allowed


def test_a_plan_without_a_bundle_moves_no_traffic(service: Service) -> None:
    done = service.run("plan", "--bundle", "nowhere")
    assert done.returncode == 1 and "error[bundle-unusable]" in done.stderr
    assert "\ntraffic: unchanged: a plan moves none\n" in done.stderr


def test_a_locked_state_is_reported_with_its_holder(service: Service) -> None:
    """A killed Terraform leaves its lock behind; nothing is changed, and the way out is named.

    If a release died with it, long enough ago, the next deployment takes it away.
    """
    s3, before = service.client("s3"), service.releases()
    s3.put_object(**LOCK_FILE, Body=json.dumps(LOCK).encode())
    done = service.run("deploy", "--bundle", "bundle")
    assert done.returncode == 1
    assert "error[state-locked]" in done.stderr and "ada@desk" in done.stderr
    version, _ = service.live()
    assert f"\ntraffic: not touched: v{version} serves all" in done.stderr
    assert service.releases() == before
    [way_out] = re.findall(r"python -m pipeline (unlock .*)", done.stderr)
    another = service.project.run(*way_out.replace("3b5b", "4c6c").split())
    assert another.returncode == 2 and f"run: python -m pipeline {way_out}" in another.stderr
    assert "removed the lock" in service.project.must(*way_out.split())
    s3.put_object(**LOCK_FILE, Body=json.dumps(LOCK).encode())

    died = {name: value for name, value in before[0].items() if name not in ("release", "time")}
    died |= {"number": before[0]["release"] + 1, "outcome": "interrupted", "kind": "deploy"}
    died |= {"began": "2026-01-02T03:04:00+00:00", "ended": "2026-01-02T03:09:00+00:00"}
    for part in ("begin", "end"):
        s3.put_object(
            Bucket="mongo-client-artifacts-123456789012",
            Key=f"ledger/local/{999_999 - died['number']:06d}/{part}.json",
            Body=json.dumps(died).encode(),
        )
    done = service.run("deploy", "--bundle", "bundle", "--all-at-once")
    assert done.returncode == 0 and "ada@desk left" in done.stderr, done.stderr
