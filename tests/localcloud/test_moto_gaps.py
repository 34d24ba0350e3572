"""What localcloud adds to moto's Lambda, seen through the API."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.aws import Aws, code

PLAIN = "def handler(event, context): pass"


def _function_with_alias(aws: Aws) -> tuple[str, str]:
    """Return a function's name and its alias' revision."""
    name = aws.versions(PLAIN, PLAIN + "  # changed")
    alias = aws.functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name, alias["RevisionId"]


def test_an_alias_gets_a_new_revision_with_each_update(aws: Aws) -> None:
    """RevisionId is what update_alias returned last, and never what it was before."""
    name, first = _function_with_alias(aws)
    updated = aws.functions.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    found = aws.functions.get_alias(FunctionName=name, Name="live")
    assert updated["RevisionId"] == found["RevisionId"] != first


def test_a_stale_revision_changes_nothing(aws: Aws) -> None:
    """update_alias with a RevisionId that is not the latest is PreconditionFailedException."""
    name, stale = _function_with_alias(aws)
    aws.functions.update_alias(FunctionName=name, Name="live", Description="moved on")
    before = aws.functions.get_alias(FunctionName=name, Name="live")
    with pytest.raises(aws.functions.exceptions.PreconditionFailedException):
        aws.functions.update_alias(
            FunctionName=name, Name="live", FunctionVersion="2", RevisionId=stale
        )
    after = aws.functions.get_alias(FunctionName=name, Name="live")
    for reply in (before, after):
        del reply["ResponseMetadata"]  # type: ignore[misc]
    assert after == before


def test_the_latest_revision_is_taken(aws: Aws) -> None:
    """update_alias with the alias' RevisionId does what it was asked."""
    name, revision = _function_with_alias(aws)
    updated = aws.functions.update_alias(
        FunctionName=name, Name="live", FunctionVersion="2", RevisionId=revision
    )
    assert updated["FunctionVersion"] == "2"


def test_of_many_updates_at_once_one_wins(aws: Aws) -> None:
    """Eight that insist on the same revision at the same time: one does it, seven are told."""
    name, revision = _function_with_alias(aws)

    def update(number: int) -> bool:
        try:
            aws.functions.update_alias(
                FunctionName=name, Name="live", Description=str(number), RevisionId=revision
            )
        except aws.functions.exceptions.PreconditionFailedException:
            return False
        return True

    with ThreadPoolExecutor(8) as callers:
        assert sum(callers.map(update, range(8))) == 1


def test_weights_are_kept_and_can_be_taken_away(aws: Aws) -> None:
    """RoutingConfig comes back as it was given, and is gone after an empty one."""
    name, _ = _function_with_alias(aws)
    aws.functions.update_alias(
        FunctionName=name,
        Name="live",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}},
    )
    found = aws.functions.get_alias(FunctionName=name, Name="live")
    assert found["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.1}}
    aws.functions.update_alias(FunctionName=name, Name="live", RoutingConfig={})
    assert "RoutingConfig" not in aws.functions.get_alias(FunctionName=name, Name="live")


def test_logging_config_has_awss_defaults(aws: Aws) -> None:
    """A function without LoggingConfig logs text into /aws/lambda/<name>."""
    name = aws.function(PLAIN)
    found = aws.functions.get_function_configuration(FunctionName=name)
    assert found["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"}
    assert found["TracingConfig"] == {"Mode": "PassThrough"}


def test_logging_and_tracing_config_are_kept(aws: Aws) -> None:
    """Both come back as they were given on create and on update, and in published versions."""
    name = aws.function(
        PLAIN,
        LoggingConfig={"LogFormat": "JSON", "LogGroup": "/tests/first"},
        TracingConfig={"Mode": "Active"},
    )
    created = aws.functions.get_function_configuration(FunctionName=name)
    assert created["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": "/tests/first"}
    assert created["TracingConfig"] == {"Mode": "Active"}

    aws.functions.publish_version(FunctionName=name)
    aws.functions.update_function_configuration(
        FunctionName=name,
        LoggingConfig={"LogFormat": "Text", "LogGroup": "/tests/second"},
        TracingConfig={"Mode": "PassThrough"},
    )
    updated = aws.functions.get_function_configuration(FunctionName=name)
    assert updated["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/tests/second"}
    assert updated["TracingConfig"] == {"Mode": "PassThrough"}

    published = aws.functions.get_function_configuration(FunctionName=name, Qualifier="1")
    assert published["LoggingConfig"] == created["LoggingConfig"]
    assert published["TracingConfig"] == created["TracingConfig"]


def test_an_update_of_something_else_leaves_logging_and_tracing(aws: Aws) -> None:
    """A change of another setting does not bring the defaults back."""
    logging = {"LogFormat": "Text", "LogGroup": "/tests/mine"}
    name = aws.function(PLAIN, LoggingConfig=logging, TracingConfig={"Mode": "Active"})
    aws.functions.update_function_configuration(FunctionName=name, Timeout=7)
    found = aws.functions.get_function_configuration(FunctionName=name)
    assert (found["LoggingConfig"], found["TracingConfig"]) == (logging, {"Mode": "Active"})


def test_a_change_of_code_or_configuration_changes_last_modified(aws: Aws) -> None:
    """LastModified tells of every update of $LATEST."""
    name = aws.function(PLAIN)
    seen = [aws.functions.get_function_configuration(FunctionName=name)["LastModified"]]
    seen.append(
        aws.functions.update_function_configuration(FunctionName=name, Timeout=7)["LastModified"]
    )
    changed = code(PLAIN + "  # changed")
    seen.append(
        aws.functions.update_function_code(FunctionName=name, ZipFile=changed)["LastModified"]
    )
    assert len(set(seen)) == 3 and seen == sorted(seen)


def test_what_moto_does_not_know_is_refused_at_once(aws: Aws) -> None:
    """As an internal error, Terraform and the SDKs would try it again for minutes."""
    with pytest.raises(ClientError, match="not been implemented") as refused:
        aws.parameters.describe_sessions(State="Active")
    metadata = refused.value.response["ResponseMetadata"]
    assert (metadata["HTTPStatusCode"], metadata["RetryAttempts"]) == (501, 0)


def test_a_version_number_is_never_given_twice(aws: Aws) -> None:
    """After a deletion, the next version has a number of its own, whichever was deleted."""
    name = aws.versions(PLAIN, PLAIN + "  # 2", PLAIN + "  # 3")
    for deleted, expected in (("1", "4"), ("4", "5")):
        aws.functions.delete_function(FunctionName=name, Qualifier=deleted)
        changed = code(PLAIN + f"  # {expected}")
        published = aws.functions.update_function_code(
            FunctionName=name, ZipFile=changed, Publish=True
        )
        assert published["Version"] == expected
    listed = aws.functions.list_versions_by_function(FunctionName=name)["Versions"]
    assert [each["Version"] for each in listed] == ["$LATEST", "2", "3", "5"]


def test_a_version_that_an_alias_points_to_is_not_deleted(aws: Aws) -> None:
    """Neither live nor its canary."""
    name, _ = _function_with_alias(aws)
    aws.functions.update_alias(
        FunctionName=name,
        Name="live",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}},
    )
    for version in ("1", "2"):
        with pytest.raises(aws.functions.exceptions.ResourceConflictException, match="live"):
            aws.functions.delete_function(FunctionName=name, Qualifier=version)
    aws.functions.update_alias(FunctionName=name, Name="live", RoutingConfig={})
    aws.functions.delete_function(FunctionName=name, Qualifier="2")
