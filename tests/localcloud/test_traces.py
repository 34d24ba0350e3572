"""What a call leaves behind: its log's tail, CloudWatch Logs, and metrics."""

from __future__ import annotations

import re
import time

import pytest

from tests.localcloud.aws import Aws

pytestmark = pytest.mark.integration

PLAIN = "def handler(event, context): return 1"
FAILING = "def handler(event, context): raise ValueError"


def test_the_tail_is_the_calls_log(aws: Aws) -> None:
    """START with the version, what was printed to either output in its order, END, REPORT."""
    source = """
        import sys
        print("while loading")

        def handler(event, context):
            print("to one")
            print("to the other", file=sys.stderr)
            print("and to one again")
    """
    name = aws.versions(source)
    log = aws.call(name, Qualifier="1").log.splitlines()
    assert re.fullmatch(r"START RequestId: \S+ Version: 1", log[0])
    assert log[1:5] == ["while loading", "to one", "to the other", "and to one again"]
    assert [line.split(":")[0] for line in log[5:]] == ["END RequestId", "REPORT RequestId"]


def test_the_report_has_true_figures(aws: Aws) -> None:
    """Duration is the handler's own time; the memory is what the function really took."""
    source = """
        import time

        def handler(event, context):
            data = b"x" * 60_000_000
            time.sleep(0.2)
    """
    name = aws.function(source, MemorySize=256)
    started = time.monotonic()
    log = aws.call(name).log
    waited_ms = (time.monotonic() - started) * 1000
    assert 200 <= _figure(log, "Duration", "ms") < waited_ms
    assert _figure(log, "Billed Duration", "ms") >= _figure(log, "Duration", "ms")
    assert _figure(log, "Memory Size", "MB") == 256
    assert 60 < _figure(log, "Max Memory Used", "MB") < 256


def test_only_a_cold_start_has_an_init_duration(aws: Aws) -> None:
    """The first call reports how long loading took; a warm one does not mention it."""
    name = aws.function("import time\ntime.sleep(0.1)\ndef handler(event, context): pass")
    assert _figure(aws.call(name).log, "Init Duration", "ms") >= 100
    assert "Init Duration" not in aws.call(name).log


def test_a_line_without_an_end_stays_apart(aws: Aws) -> None:
    """What a function prints without a newline does not swallow the emulator's own lines."""
    name = aws.function("def handler(event, context): print('no newline', end='')")
    for _ in range(2):
        start, printed, end, report = aws.call(name).log.splitlines()
        assert (start[:5], printed, end[:4], report[:7]) == (
            "START",
            "no newline",
            "END ",
            "REPORT ",
        )


def test_a_flood_of_output_is_no_trouble(aws: Aws) -> None:
    """5 MB in one line and 20,000 short lines come back soon, and are in the log whole."""
    source = """
        def handler(event, context):
            print("x" * 5_000_000)
            for number in range(20_000):
                print("line", number)
            return "done"
    """
    name = aws.function(source)
    answer = aws.call(name)
    assert answer.payload == "done"
    assert "\nline 19999\nEND RequestId: " in answer.log
    assert len(answer.log.encode()) == 4096
    found = aws.logs.filter_log_events(
        logGroupName=f"/aws/lambda/{name}", filterPattern="line 19999"
    )
    assert len(found["events"]) == 1


def test_cloudwatch_logs_has_the_same_lines(aws: Aws) -> None:
    """The group of the function's LoggingConfig has the lines of the tail."""
    group = "/tests/a-group-of-its-own"
    name = aws.function(
        "def handler(event, context): print('seen', event)", LoggingConfig={"LogGroup": group}
    )
    tails = [aws.call(name, number).log for number in range(2)]
    assert "\n".join(aws.logged(group)) + "\n" == "".join(tails)


def test_calls_are_counted_as_aws_counts_them(aws: Aws) -> None:
    """Invocations, Errors, Duration: by function, by alias or version; by executed version only
    while the alias shares its traffic between two."""
    name = aws.versions(PLAIN, FAILING)
    aws.functions.create_alias(
        FunctionName=name,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.0}},
    )
    aws.call(name, Qualifier="live")
    aws.call(name, Qualifier="live")
    aws.functions.update_alias(
        FunctionName=name,
        Name="live",
        FunctionVersion="2",
        RoutingConfig={"AdditionalVersionWeights": {}},
    )
    aws.call(name, Qualifier="live")
    aws.call(name, Qualifier="2")

    live = {"FunctionName": name, "Resource": f"{name}:live"}
    by_dimensions: list[tuple[dict[str, str], tuple[int, int]]] = [
        ({"FunctionName": name}, (4, 2)),
        (live, (3, 1)),
        (live | {"ExecutedVersion": "1"}, (2, 0)),
        (live | {"ExecutedVersion": "2"}, (0, 0)),
        ({"FunctionName": name, "Resource": f"{name}:2"}, (1, 1)),
    ]
    for dimensions, expected in by_dimensions:
        counted = (aws.total("Invocations", **dimensions), aws.total("Errors", **dimensions))
        assert counted == expected, dimensions
        assert (aws.total("Duration", **dimensions) > 0) == (expected[0] > 0)


def _figure(log: str, name: str, unit: str) -> float:
    found = re.search(rf"\t{name}: ([\d.]+) {unit}\t", log)
    assert found, log
    return float(found[1])
