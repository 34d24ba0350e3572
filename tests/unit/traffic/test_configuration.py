"""Two versions are compared by the settings that Terraform manages, not by all that AWS returns."""

from __future__ import annotations

import re
from typing import Any

from pipeline.traffic import configuration
from pipeline.config import TERRAFORM_DIR

_TERRAFORMS = {
    "description": "Description",
    "role": "Role",
    "source_code_hash": "CodeSha256",
    "layers": "Layers",
    "handler": "Handler",
    "runtime": "Runtime",
    "architectures": "Architectures",
    "memory_size": "MemorySize",
    "timeout": "Timeout",
    "environment": "Environment.Variables",
    "vpc_config": "VpcConfig.SubnetIds",
    "snap_start": "SnapStart.ApplyOn",
    "tracing_config": "TracingConfig.Mode",
    "logging_config": "LoggingConfig.LogFormat",
}
# The name, where the code comes from, what no version has, and Terraform's own words.
_NOT_A_VERSIONS = {
    *("function_name", "s3_bucket", "s3_key", "publish", "reserved_concurrent_executions"),
    *("code_signing_config_arn", "depends_on", "lifecycle"),
}


def _configuration(version: str, **more: Any) -> dict[str, Any]:
    """Return a response of GetFunctionConfiguration, with a version's own fields."""
    return {
        "Version": version,
        "RevisionId": f"revision-{version}",
        "State": "Active" if version == "$LATEST" else "Pending",
        "ConfigSha256": f"digest-{version}",
        "RuntimeConfig": {"RuntimeAlias": version},
        "FieldOfTomorrow": {"Of": version},
        "CodeSha256": "code",
        "Layers": [{"Arn": "arn:layer:1", "CodeSize": 1}],
        "SnapStart": {
            "ApplyOn": "None",
            "OptimizationStatus": "Off" if version == "$LATEST" else "On",
        },
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "g", "SystemLogLevel": version},
        "VpcConfig": {"SubnetIds": ["b", "a"], "VpcId": version},
    } | more


def test_fields_that_terraform_does_not_set_make_no_difference() -> None:
    """A version whose own fields differ would be published and planned a second time."""
    latest, published = _configuration("$LATEST"), _configuration("3")
    assert configuration.shared(latest) == configuration.shared(published)
    assert configuration.differences(latest, published) == []


def test_what_terraform_sets_makes_one() -> None:
    latest = _configuration("$LATEST")
    for changed in (
        {"CodeSha256": "foreign"},
        {"Layers": [{"Arn": "arn:layer:2"}]},
        {"MemorySize": 512},
        {"LoggingConfig": {"LogFormat": "JSON", "LogGroup": "g"}},
        {"VpcConfig": {"SubnetIds": ["a"]}},
        {"Environment": {"Variables": {"A": "1"}}},
    ):
        assert configuration.shared(latest) != configuration.shared(
            _configuration("3", **changed)
        ), changed


def test_each_setting_in_terraform_is_compared() -> None:
    text = (TERRAFORM_DIR / "function.tf").read_text()
    _, _, resource = text.partition('resource "aws_lambda_function" "service" {')
    resource, _, _ = resource.partition("\n}\n")
    names = set(re.findall(r'^  (?:dynamic ")?(\w+)"? *[={]', resource, re.MULTILINE))
    assert {"memory_size", "vpc_config", "environment"} <= names
    assert names - _NOT_A_VERSIONS == set(_TERRAFORMS)
    assert set(_TERRAFORMS.values()) <= configuration.shared({}).keys()
