"""Invoke: which code runs, its input, and the response to its caller."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.aws import Aws, code
from tests.localcloud.clouds import eventually

pytestmark = pytest.mark.integration

ECHO = "def handler(event, context): return event"
VERSION = "def handler(event, context): return context.function_version"


@pytest.mark.parametrize(
    "event",
    [
        {"deep": [1, 2.5, None, True, {}]},
        "a string",
        None,
        "grüße, 世界 🎉",
        {"Qualifier": "not a qualifier", "LogType": "None"},
        "Qualifier=nor=this&InvocationType=Event",
    ],
)
def test_the_stored_code_runs_with_the_event(aws: Aws, event: object) -> None:
    """The function gets exactly the event that its caller sent, and the caller its result."""
    assert aws.call(aws.function(ECHO), event).payload == event


def test_no_payload_is_an_empty_object(aws: Aws) -> None:
    """Invoke without a payload gives the function {}."""
    reply = aws.functions.invoke(FunctionName=aws.function(ECHO))
    assert json.loads(reply["Payload"].read()) == {}


def test_the_runtime_is_awss_own(aws: Aws) -> None:
    """The code runs below AWS's runtime interface client, and its context is AWS's."""
    source = """
        import sys

        def handler(event, context):
            return [type(context).__module__, context.function_name, context.memory_limit_in_mb,
                    context.get_remaining_time_in_millis(), list(sys.version_info[:2])]
    """
    name = aws.function(source, Timeout=5, MemorySize=192)
    module, told_name, memory_mb, time_left_ms, python = aws.call(name).payload
    assert (module, told_name, memory_mb) == ("awslambdaric.lambda_context", name, "192")
    assert 0 < time_left_ms <= 5000
    assert python == [3, 13]


def test_unqualified_is_the_latest_code(aws: Aws) -> None:
    """Without a qualifier, $LATEST runs, also if it was changed after a version was published."""
    name = aws.versions("def handler(event, context): return 'published'")
    aws.functions.update_function_code(
        FunctionName=name, ZipFile=code("def handler(event, context): return 'latest'")
    )
    answer = aws.call(name)
    assert (answer.payload, answer.version) == ("latest", "$LATEST")
    assert aws.call(name, Qualifier="1").payload == "published"


def test_a_version_number_runs_that_version(aws: Aws) -> None:
    """Each published version keeps its own code, and knows its number."""
    name = aws.versions(VERSION, VERSION + "  # changed")
    for version in ("1", "2"):
        answer = aws.call(name, Qualifier=version)
        assert (answer.payload, answer.version) == (version, version)


def test_an_alias_runs_the_version_it_points_at(aws: Aws) -> None:
    """ExecutedVersion is the version's number, not the alias; a moved alias counts at once."""
    name = aws.versions(VERSION, VERSION + "  # changed")
    aws.functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    first = aws.call(name, Qualifier="live")
    aws.functions.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    second = aws.call(name, Qualifier="live")
    assert (first.payload, first.version) == ("1", "1")
    assert (second.payload, second.version) == ("2", "2")


def test_names_and_arns_may_carry_the_qualifier(aws: Aws) -> None:
    """A name, an ARN, and either with a qualifier at its end, all find the function."""
    name = aws.versions(VERSION)
    aws.functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    arn = aws.arn(name)
    assert aws.call(arn).version == "$LATEST"
    for address in (f"{name}:1", f"{name}:live", f"{arn}:1", f"{arn}:live"):
        assert aws.call(address).version == "1", address


def test_an_aliass_weights_split_its_calls(aws: Aws) -> None:
    """At a weight of one half, both versions get a fair share of 60 calls."""
    name = aws.versions(VERSION, VERSION + "  # changed")
    aws.functions.create_alias(
        FunctionName=name,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )
    answers = [aws.call(name, Qualifier="live") for _ in range(60)]
    assert all(answer.payload == answer.version for answer in answers)
    # Ten or fewer of 60 at one half come once in ten million times.
    assert 10 < sum(answer.version == "2" for answer in answers) < 50


def test_an_event_call_is_accepted_and_runs(aws: Aws) -> None:
    """InvocationType Event answers 202 at once, and the function runs."""
    name = aws.function("def handler(event, context): print('did', event['work'])")
    reply = aws.functions.invoke(
        FunctionName=name, InvocationType="Event", Payload='{"work": "the dishes"}'
    )
    assert reply["StatusCode"] == 202
    # There is no log group before the first call has ended.
    assert eventually(lambda: aws.total("Invocations", FunctionName=name) == 1)
    assert "did the dishes" in aws.logged(f"/aws/lambda/{name}")


def test_a_dry_run_runs_nothing(aws: Aws) -> None:
    """InvocationType DryRun answers 204, and the function does not run."""
    name = aws.function(ECHO)
    reply = aws.functions.invoke(FunctionName=name, InvocationType="DryRun")
    assert reply["StatusCode"] == 204
    assert aws.total("Invocations", FunctionName=name) == 0


@pytest.mark.parametrize("qualifier", ["7", "nobody", "$LATEST"])
def test_what_is_not_there_is_not_found(aws: Aws, qualifier: str) -> None:
    """An unknown function, version or alias is ResourceNotFoundException."""
    name = aws.function(ECHO) if qualifier != "$LATEST" else "no-such-function"
    with pytest.raises(aws.functions.exceptions.ResourceNotFoundException):
        aws.functions.invoke(FunctionName=name, Qualifier=qualifier)


@pytest.mark.parametrize("payload", ["{not json", "a=1&b=2", " "])
def test_a_payload_that_is_not_json_is_refused(aws: Aws, payload: str) -> None:
    """The function is not called with what is not JSON."""
    name = aws.function(ECHO)
    with pytest.raises(aws.functions.exceptions.InvalidRequestContentException):
        aws.functions.invoke(FunctionName=name, Payload=payload)
    assert aws.total("Invocations", FunctionName=name) == 0


def test_payloads_of_nearly_6_mb_pass(aws: Aws) -> None:
    """Lambda's limit is 6 MB both ways; what just fits gets through whole."""
    event = "x" * (6 * 1024 * 1024 - 2)
    assert aws.call(aws.function(ECHO), event).payload == event


def test_an_event_over_6_mb_is_refused(aws: Aws) -> None:
    """Lambda answers RequestTooLargeException."""
    with pytest.raises(ClientError) as refusal:
        aws.call(aws.function(ECHO), "x" * (6 * 1024 * 1024))
    assert refusal.value.response["Error"]["Code"] == "RequestTooLargeException"


def test_the_answer_bears_the_request_id_of_the_log(aws: Aws) -> None:
    name = aws.function("def handler(event, context): pass")
    answer = aws.functions.invoke(FunctionName=name)
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert aws.logged(f"/aws/lambda/{name}")[0].startswith(f"START RequestId: {request_id} ")
