"""Lambda's rules and responses about functions and versions."""

from __future__ import annotations

import pytest

from tests.localcloud.aws import Aws, code

pytestmark = pytest.mark.integration

_PLAIN = "def handler(event, context): return 'answered'"


def test_a_stale_revision_changes_no_function(aws: Aws) -> None:
    """update_function_code and -_configuration with a RevisionId that is not the latest."""
    name = aws.function(_PLAIN)
    stale = aws.functions.get_function_configuration(FunctionName=name)["RevisionId"]
    aws.functions.update_function_configuration(FunctionName=name, MemorySize=256, RevisionId=stale)
    latest = aws.functions.get_function_configuration(FunctionName=name)
    assert latest["RevisionId"] != stale and latest["MemorySize"] == 256
    refused = aws.functions.exceptions.PreconditionFailedException
    with pytest.raises(refused):
        aws.functions.update_function_code(
            FunctionName=name, ZipFile=code(_PLAIN + "  # changed"), RevisionId=stale
        )
    with pytest.raises(refused):
        aws.functions.update_function_configuration(
            FunctionName=name, MemorySize=512, RevisionId=stale
        )
    after = aws.functions.get_function_configuration(FunctionName=name)
    assert (after["CodeSha256"], after["MemorySize"]) == (latest["CodeSha256"], 256)


def test_a_version_has_fields_of_its_own(aws: Aws) -> None:
    """Which nobody set: who compares a version with the function must not go by them."""
    name = aws.versions(_PLAIN)
    latest, version = (
        aws.functions.get_function_configuration(FunctionName=name, Qualifier=qualifier)
        for qualifier in ("$LATEST", "1")
    )
    assert latest["CodeSha256"] == version["CodeSha256"]
    for field in ("ConfigSha256", "RuntimeConfig"):
        assert dict(latest)[field] != dict(version)[field]


def test_a_version_that_sleeps_refuses_its_first_call_and_wakes(aws: Aws) -> None:
    """Others do not; and nothing sleeps unless it is put to sleep."""
    name = aws.versions(_PLAIN, _PLAIN + "  # changed")
    aws.parameters.put_parameter(
        Name="/localcloud/asleep", Value=f"{name}:1", Type="String", Overwrite=True
    )
    described = aws.functions.get_function_configuration(FunctionName=name, Qualifier="1")
    assert described["State"] == "Inactive"
    assert aws.call(name, Qualifier="2").payload == "answered"
    with pytest.raises(aws.functions.exceptions.SnapStartNotReadyException):
        aws.call(name, Qualifier="1")
    described = aws.functions.get_function_configuration(FunctionName=name, Qualifier="1")
    assert described["State"] == "Pending"
    aws.functions.get_waiter("published_version_active").wait(
        FunctionName=name, Qualifier="1", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    assert aws.call(name, Qualifier="1").payload == "answered"
