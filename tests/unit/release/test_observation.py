"""What is read of an environment: by AWS's answers, each fact by itself."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.aws import Aws, create_object
from pipeline.bundle import store
from pipeline.bundle.manifest import Manifest, Package
from pipeline.packaging.zip_writer import write_zip
from pipeline.release import ledger, observation, quarantine, state
from pipeline.release.ledger import Ledger, Release
from pipeline.release.lease import Lease
from pipeline.release.observation import Observation
from pipeline.target import Target
from tests.support.environments import STAGING, rollback

_ZIP = write_zip({"lambda_function.py": b"def lambda_handler(event, context): pass\n"})
_FOREIGN = write_zip({"lambda_function.py": b"raise OSError\n"})
_PACKAGE = Package.of("lambda_function.zip", _ZIP)
_MANIFEST = Manifest(
    *(_PACKAGE, None, None, "lambda_function.lambda_handler", "python3.13", "x86_64"),
    *("c0ffee", None),
    {},
)
_NAME = STAGING.function_name


@pytest.fixture
def target(account: Aws) -> Target:
    """An environment with one release, in which all agrees."""
    target, functions = Target(account, STAGING), account.functions
    made = functions.create_function(
        FunctionName=_NAME,
        Role=_role(account),
        Runtime="python3.13",
        Handler=_MANIFEST.handler,
        Code={"ZipFile": _ZIP},
        Publish=True,
    )
    functions.create_alias(FunctionName=_NAME, Name="live", FunctionVersion=made["Version"])
    _apply(account, made["Version"], made["CodeSha256"])
    create_object(account, store.package_key(_PACKAGE), _ZIP)
    create_object(account, f"bundles/{_MANIFEST.id}/manifest.json", _MANIFEST.to_text().encode())
    _record(target, _release(made["Version"]))
    return target


def _role(account: Aws) -> str:
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    iam: Any = account.session.client("iam", endpoint_url=account.s3.meta.endpoint_url)
    arn = iam.create_role(RoleName=_NAME, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    return str(arn)


def _apply(account: Aws, version: str, code_sha256: str) -> None:
    """Write the state that Terraform leaves after an apply."""
    function = {"version": version, "source_code_hash": code_sha256}
    resource = {"mode": "managed", "type": "aws_lambda_function"}
    resources = [
        {**resource, "mode": "data", "instances": []},
        {**resource, "instances": [{"attributes": function}]},
    ]
    outputs = {"api_url": {"value": "https://api.example.com", "type": "string"}}
    state = {"version": 4, "serial": 1, "outputs": outputs, "resources": resources}
    account.s3.put_object(
        Bucket=account.state_bucket, Key=STAGING.state_key, Body=json.dumps(state).encode()
    )


def _release(version: str) -> Release:
    release = ledger.next_release(None, "deploy", _MANIFEST, reason="new", version=version)
    return replace(release, outcome="succeeded", ended=ledger.now())


def _record(target: Target, release: Release) -> None:
    assert Ledger(target)._create(release, "begin") and Ledger(target)._create(release, "end")


def _names(target: Target) -> list[str]:
    return [found.name for found in state.find(observation.observe(target))]


def test_where_all_agrees_everything_is_known(target: Target) -> None:
    seen = observation.observe(target)
    assert state.find(seen) == ()
    assert seen.serving.release and seen.serving.release.bundle == _MANIFEST.id
    assert seen.serving.shares[0].release == seen.serving.release
    assert not _differ(seen)
    assert seen.applied and seen.applied.api_url == "https://api.example.com"
    assert (seen.lock, seen.sign, seen.quarantined, seen.missing) == (None, None, None, None)


def _differ(seen: Observation) -> list[str]:
    assert seen.latest and seen.live and seen.published
    return [*seen.latest.differences(seen.live), *seen.live.differences(seen.published)]


def test_before_the_first_release_there_is_nothing(account: Aws) -> None:
    seen = observation.observe(Target(account, STAGING))
    assert (seen.latest, seen.live, seen.applied, seen.serving.route) == (
        *(None, None, None, "nothing"),
    )
    assert state.find(seen) == ()


def test_code_and_settings_are_compared_with_what_terraform_applied(target: Target) -> None:
    functions = target.aws.functions
    functions.update_function_configuration(FunctionName=_NAME, MemorySize=1024)
    [found] = state.find(observation.observe(target))
    assert found.name == "settings-changed" and "MemorySize" in found.sentence
    functions.update_function_code(FunctionName=_NAME, ZipFile=_FOREIGN)
    assert _names(target) == ["code-changed"]
    made = functions.publish_version(FunctionName=_NAME)
    _apply(target.aws, made["Version"], made["CodeSha256"])
    [found] = state.find(observation.observe(target))
    assert found.name == "terraform-ahead" and "(code, MemorySize)" in found.sentence


def test_live_is_compared_with_the_ledger(target: Target) -> None:
    functions = target.aws.functions
    functions.update_function_code(FunctionName=_NAME, ZipFile=_FOREIGN)
    foreign = functions.publish_version(FunctionName=_NAME)["Version"]
    functions.update_function_code(FunctionName=_NAME, ZipFile=_ZIP)
    functions.update_alias(FunctionName=_NAME, Name="live", FunctionVersion=foreign)
    assert _names(target) == ["live-moved"]


def test_the_lease_says_whether_a_release_is_at_work(target: Target) -> None:
    second = replace(_release("9"), number=2, outcome="under way", ended=None, version=None)
    records = Ledger(target)
    records.begin(second)
    seen = observation.observe(target)
    assert state.is_under_way(seen) and state.find(seen) == ()
    Lease(target).hand_over()
    assert _names(target) == ["release-died"]


def test_the_lock_of_the_state_says_who_holds_it(target: Target) -> None:
    lock = {"ID": "3b5b", "Who": "ada@desk", "Operation": "OperationTypeApply"}
    for created, names in (("2026-01-02T03:04:05.67Z", ["state-locked"]), (_now(), [])):
        target.aws.s3.put_object(
            Bucket=target.aws.state_bucket,
            Key=f"{STAGING.state_key}.tflock",
            Body=json.dumps(lock | {"Created": created}).encode(),
        )
        assert _names(target) == names
        seen = observation.observe(target).lock
        assert seen and (seen.id, seen.who) == ("3b5b", "ada@desk")


def _now() -> str:
    return datetime.now(UTC).isoformat()


def test_a_stored_bundle_is_whole_missing_or_damaged(target: Target) -> None:
    """By the digest that S3 computed when the package was stored: nothing is downloaded."""
    s3, bucket = target.aws.s3, target.aws.artifact_bucket
    key = store.package_key(_PACKAGE)
    s3.put_object(Bucket=bucket, Key=key, Body=_FOREIGN, ChecksumAlgorithm="SHA256")
    assert observation.observe(target).missing == f"s3://{bucket}/{key} is damaged"
    s3.delete_object(Bucket=bucket, Key=key)
    assert observation.observe(target).missing == f"s3://{bucket}/{key} is missing"
    assert _names(target) == ["bundle-missing"]
    s3.delete_object(Bucket=bucket, Key=f"bundles/{_MANIFEST.id}/manifest.json")
    assert "manifest.json is missing" in str(observation.observe(target).missing)


def test_what_serves_can_be_in_quarantine(target: Target) -> None:
    quarantine.add(target, _MANIFEST.id, replace(rollback(2, "1", 1), reason="slow"))
    [found] = state.find(observation.observe(target))
    assert found.name == "live-quarantined" and found.sentence.endswith(": slow")
