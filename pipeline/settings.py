"""Settings: what a version was published with, beside its code and layer, and what is different."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

# What a published version has of its own. All else it has from the function, as that was then.
_OWN = frozenset(
    {
        *("FunctionArn", "Version", "MasterArn", "RevisionId", "LastModified", "ResponseMetadata"),
        *("State", "StateReason", "StateReasonCode", "SnapStart", "RuntimeVersionConfig"),
        *("LastUpdateStatus", "LastUpdateStatusReason", "LastUpdateStatusReasonCode"),
    }
)
_CODE = frozenset({"CodeSha256", "CodeSize", "Layers", "Description"})


def shared(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a version has from the function: code and settings."""
    return {key: value for key, value in configuration.items() if key not in _OWN}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Name the settings that are different, in words without their values: they may be secret."""
    old, new = (_flat(shared(each)) for each in (before, after))
    return [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]


def look_at_differences(
    functions: LambdaClient, function_name: str, before: str, after: str
) -> list[str]:
    """Name the settings that two published versions do not share; none if AWS cannot be asked."""
    try:
        both = [
            functions.get_function_configuration(FunctionName=function_name, Qualifier=each)
            for each in (before, after)
        ]
    except (ClientError, BotoCoreError):
        return []
    return differences(both[0], both[1])


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return settings by their whole names: Environment.Variables.NAME."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if not prefix and name in _CODE:
            continue
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found
