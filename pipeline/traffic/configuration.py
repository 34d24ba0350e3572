"""The settings of a published version, apart from its code and layer, and their differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.target import DeployedFunction

# The settings of terraform/function.tf, by the names of Lambda's FunctionConfiguration. Lambda
# returns more (State, ConfigSha256, RuntimeVersionConfig), some of it a version's own.
# Other than the settings, these are not listed as differences.
_UNLISTED = ("CodeSha256", "Description", "Layers")
_SETTINGS = (
    "Architectures",
    "Environment.Variables",
    "Handler",
    "LoggingConfig.LogFormat",
    "LoggingConfig.LogGroup",
    "MemorySize",
    "Role",
    "Runtime",
    "SnapStart.ApplyOn",
    "Timeout",
    "TracingConfig.Mode",
    "VpcConfig.SecurityGroupIds",
    "VpcConfig.SubnetIds",
)


def shared(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a version has from the function: code and settings."""
    return {name: _at(configuration, name) for name in (*_UNLISTED, *_SETTINGS)}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Name the settings that are different, in words without their values: they may be secret."""
    old, new = _flat(before), _flat(after)
    return [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]


def get_differences(function: DeployedFunction, before: str, after: str) -> list[str]:
    """Name the settings that two published versions do not share; none if AWS cannot be reached."""
    try:
        both = [
            function.client.get_function_configuration(
                FunctionName=function.name, Qualifier=version
            )
            for version in (before, after)
        ]
    except (ClientError, BotoCoreError):
        return []
    return differences(both[0], both[1])


def _at(configuration: Mapping[str, Any], name: str) -> Any:
    """Return the setting of a name such as LoggingConfig.LogFormat; None if there is none."""
    value: Any = configuration
    for part in name.split("."):
        value = (value or {}).get(part)
    if isinstance(value, list):
        # Of a layer only which one it is; the order of others (subnets) says nothing.
        return sorted(item["Arn"] if isinstance(item, Mapping) else item for item in value)
    return value


def _flat(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by their whole names, each variable for itself."""
    found: dict[str, Any] = {}
    for name in _SETTINGS:
        value = _at(configuration, name)
        if isinstance(value, Mapping):
            found |= {f"{name}.{key}": member for key, member in value.items()}
        else:
            found[name] = value
    return found
