"""What localcloud adds to moto's Lambda, seen through the API."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.aws import Aws, code

pytestmark = pytest.mark.integration

PLAIN = "def handler(event, context): pass"
_PROFILE = "arn:aws:signer:us-east-1:123456789012:/signing-profiles/tests/1234567890"


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
    """update_alias with the alias' RevisionId updates it."""
    name, revision = _function_with_alias(aws)
    updated = aws.functions.update_alias(
        FunctionName=name, Name="live", FunctionVersion="2", RevisionId=revision
    )
    assert updated["FunctionVersion"] == "2"


def test_of_many_updates_at_once_one_wins(aws: Aws) -> None:
    """Of eight concurrent updates with the same revision, one succeeds and seven are refused."""
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


def test_snap_start_is_kept_and_on_for_published_versions(aws: Aws) -> None:
    """It survives an update of something else, and can be switched off."""
    name = aws.function(PLAIN, SnapStart={"ApplyOn": "PublishedVersions"})
    aws.functions.update_function_configuration(FunctionName=name, Timeout=7)
    aws.functions.publish_version(FunctionName=name)
    parts = [
        aws.functions.get_function_configuration(FunctionName=name, Qualifier=each)["SnapStart"]
        for each in ("$LATEST", "1")
    ]
    assert parts == [
        {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"},
        {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"},
    ]
    aws.functions.update_function_configuration(FunctionName=name, SnapStart={"ApplyOn": "None"})
    found = aws.functions.get_function_configuration(FunctionName=name)["SnapStart"]
    assert found == {"ApplyOn": "None", "OptimizationStatus": "Off"}


def test_a_change_of_code_or_configuration_changes_last_modified(aws: Aws) -> None:
    """LastModified changes with every update of $LATEST."""
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


def test_concurrency_can_be_provisioned_for_an_alias(aws: Aws) -> None:
    """Put, put again, got, deleted; an alias that is not there has none."""
    name, _ = _function_with_alias(aws)
    live = {"FunctionName": name, "Qualifier": "live"}
    missing = aws.functions.exceptions.ProvisionedConcurrencyConfigNotFoundException
    with pytest.raises(missing):
        aws.functions.get_provisioned_concurrency_config(**live)
    with pytest.raises(aws.functions.exceptions.ResourceNotFoundException):
        aws.functions.put_provisioned_concurrency_config(
            FunctionName=name, Qualifier="nobody", ProvisionedConcurrentExecutions=2
        )
    for wanted in (2, 3):
        aws.functions.put_provisioned_concurrency_config(
            **live, ProvisionedConcurrentExecutions=wanted
        )
        found = aws.functions.get_provisioned_concurrency_config(**live)
        assert found["Status"] == "READY"
        assert found["AllocatedProvisionedConcurrentExecutions"] == wanted
    aws.functions.delete_provisioned_concurrency_config(**live)
    with pytest.raises(missing):
        aws.functions.get_provisioned_concurrency_config(**live)


def test_code_signing_can_be_configured_and_put_on_a_function(aws: Aws) -> None:
    """Created, changed, put on a function, taken off it, deleted."""
    made = aws.functions.create_code_signing_config(
        AllowedPublishers={"SigningProfileVersionArns": [_PROFILE]},
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Warn"},
        Tags={"service": "tests"},
    )["CodeSigningConfig"]
    arn = made["CodeSigningConfigArn"]
    aws.functions.update_code_signing_config(
        CodeSigningConfigArn=arn, CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"}
    )
    found = aws.functions.get_code_signing_config(CodeSigningConfigArn=arn)["CodeSigningConfig"]
    assert found["AllowedPublishers"] == {"SigningProfileVersionArns": [_PROFILE]}
    assert found["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Enforce"}
    assert aws.functions.list_tags(Resource=arn)["Tags"] == {"service": "tests"}

    name = aws.function(PLAIN, Tags={"of": "the function"})
    assert aws.functions.list_tags(Resource=aws.arn(name))["Tags"] == {"of": "the function"}
    aws.functions.put_function_code_signing_config(FunctionName=name, CodeSigningConfigArn=arn)
    on = aws.functions.get_function_code_signing_config(FunctionName=name)
    assert on["CodeSigningConfigArn"] == arn
    aws.functions.delete_function_code_signing_config(FunctionName=name)
    off = aws.functions.get_function_code_signing_config(FunctionName=name)
    assert not off.get("CodeSigningConfigArn")

    aws.functions.delete_code_signing_config(CodeSigningConfigArn=arn)
    with pytest.raises(aws.functions.exceptions.ResourceNotFoundException):
        aws.functions.get_code_signing_config(CodeSigningConfigArn=arn)


def test_a_custom_domain_is_available_and_has_a_target(aws: Aws) -> None:
    """Terraform waits for the one and prints the other."""
    certificate = "arn:aws:acm:us-east-1:123456789012:certificate/1"
    made = aws.apis.create_domain_name(
        DomainName="api.example.com",
        DomainNameConfigurations=[{"CertificateArn": certificate, "EndpointType": "REGIONAL"}],
    )
    [configuration] = made["DomainNameConfigurations"]
    assert configuration["CertificateArn"] == certificate
    assert configuration["DomainNameStatus"] == "AVAILABLE"
    assert configuration["ApiGatewayDomainName"] and configuration["HostedZoneId"]
    assert not made.get("MutualTlsAuthentication")
    aws.apis.delete_domain_name(DomainName="api.example.com")


def test_a_metric_filter_takes_the_place_of_the_one_before(aws: Aws) -> None:
    """PutMetricFilter with a name that is there already changes that filter."""
    aws.logs.create_log_group(logGroupName="/tests/filters")
    for pattern in ("first", "second"):
        aws.logs.put_metric_filter(
            logGroupName="/tests/filters",
            filterName="same",
            filterPattern=pattern,
            metricTransformations=[
                {"metricName": "M", "metricNamespace": "Tests", "metricValue": "1"}
            ],
        )
    found = aws.logs.describe_metric_filters(logGroupName="/tests/filters")["metricFilters"]
    assert [each["filterPattern"] for each in found] == ["second"]


def test_log_events_can_be_of_streams_whose_names_begin_alike(aws: Aws) -> None:
    """filter_log_events with logStreamNamePrefix leaves the events of other streams out."""
    group = f"/tests/{uuid.uuid4().hex}"
    aws.logs.create_log_group(logGroupName=group)
    for stream in ("day/[1]a", "day/[1]b", "day/[12]c"):
        aws.logs.create_log_stream(logGroupName=group, logStreamName=stream)
        aws.logs.put_log_events(
            logGroupName=group,
            logStreamName=stream,
            logEvents=[{"timestamp": int(time.time() * 1000), "message": stream}],
        )
    for prefix, count in (("day/[1]", 2), ("day/", 3), ("night/", 0)):
        found = aws.logs.filter_log_events(logGroupName=group, logStreamNamePrefix=prefix)
        assert len(found["events"]) == count
    assert len(aws.logs.filter_log_events(logGroupName=group)["events"]) == 3
