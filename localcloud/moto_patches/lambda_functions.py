"""What moto lacks of Lambda's functions, versions and aliases.

Each function that fills a gap of moto 5.2.5 names it.
"""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

from moto.awslambda.exceptions import PreconditionFailedException
from moto.awslambda.models import LambdaAlias, LambdaBackend, LambdaFunction, LambdaStorage
from moto.awslambda.responses import LambdaResponse
from moto.awslambda.urls import url_paths
from moto.core.utils import iso_8601_datetime_with_nanoseconds
from moto.moto_api._internal import mock_random

from localcloud import conditions
from localcloud.moto_patches.lambda_invoke import refusal

_STALE_REVISION = (
    "The RevisionId provided does not match the latest RevisionId for the Lambda function or "
    "alias. Call the GetFunction or the GetAlias API to retrieve the latest RevisionId for your "
    "resource."
)


def fill() -> None:
    """Fill the gaps of what Lambda returns and stores."""
    _functions_keep_their_configuration()
    _functions_tell_when_they_changed()
    _versions_are_never_numbered_twice()
    _versions_that_serve_cannot_be_deleted()
    _alias_revisions_change_and_are_checked()
    _code_signing_can_be_configured()
    _accounts_have_settings()


def _functions_keep_their_configuration() -> None:
    """moto stores neither LoggingConfig nor SnapStart, and drops changes of TracingConfig.

    So a plan never gets empty. AWS also returns fields that no caller sets, and adds some: here two
    (ConfigSha256, RuntimeConfig, which the SDK's model has) are different for each version.
    """
    stock_init = LambdaFunction.__init__
    stock_update = LambdaFunction.update_configuration
    stock_get = LambdaFunction.get_configuration

    def keep(self: LambdaFunction, spec: dict[str, Any]) -> None:
        default = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{self.function_name}"}
        given = spec.get("LoggingConfig")
        if given or not hasattr(self, "logging_config"):
            self.logging_config = default | (given or {})
        if "SnapStart" in spec or not hasattr(self, "snap_start"):
            self.snap_start = spec.get("SnapStart") or {"ApplyOn": "None"}

    def init(self: LambdaFunction, *, spec: dict[str, Any], **named: Any) -> None:
        stock_init(self, spec=spec, **named)
        keep(self, spec)

    def update(self: LambdaFunction, changes: dict[str, Any]) -> dict[str, Any]:
        keep(self, changes)
        self.tracing_config = changes.get("TracingConfig") or self.tracing_config
        stock_update(self, changes)
        return get(self)

    def get(self: LambdaFunction, on_create: bool = False) -> dict[str, Any]:
        configuration: dict[str, Any] = stock_get(self, on_create)
        # Only a published version has a snapshot.
        on = self.snap_start["ApplyOn"] == "PublishedVersions" and self.version != "$LATEST"
        digest = hashlib.sha256(f"{self.version} {configuration}".encode()).hexdigest()
        return configuration | {
            "ConfigSha256": digest,
            "RuntimeConfig": {"RuntimeAlias": self.version},
            "RevisionId": _revision(self),
            "State": conditions.state(self),
            "LoggingConfig": self.logging_config,
            "SnapStart": self.snap_start | {"OptimizationStatus": "On" if on else "Off"},
        }

    LambdaFunction.__init__ = init
    LambdaFunction.update_configuration = update
    LambdaFunction.get_configuration = get


def _functions_tell_when_they_changed() -> None:
    """moto's LastModified stays what it was when the function was created.

    It has no RevisionId, and so cannot check the one that a caller insists on.
    """

    def with_more(stock: Callable[..., Any]) -> Callable[..., Any]:
        def change(self: LambdaFunction, changes: dict[str, Any]) -> Any:
            stock(self, changes)
            self.last_modified = iso_8601_datetime_with_nanoseconds()
            return self.get_configuration()

        return change

    def checking(stock: Callable[..., Any]) -> Callable[..., Any]:
        def update(
            self: LambdaBackend, function_name: str, qualifier: str, body: dict[str, Any]
        ) -> Any:
            expected = body.pop("RevisionId", None)
            function = self.get_function(function_name, qualifier)
            if expected and expected != _revision(function):
                raise PreconditionFailedException(_STALE_REVISION)
            return stock(self, function_name, qualifier, body)

        return update

    for name in ("update_configuration", "update_function_code"):
        setattr(LambdaFunction, name, with_more(getattr(LambdaFunction, name)))
    for name in ("update_function_configuration", "update_function_code"):
        setattr(LambdaBackend, name, checking(getattr(LambdaBackend, name)))


def _revision(function: LambdaFunction) -> str:
    """Return what changes with a function, or a version."""
    state = f"{function.function_name} {function.version} {function.last_modified}"
    return str(uuid.uuid5(uuid.NAMESPACE_OID, state))


def _versions_are_never_numbered_twice() -> None:
    """moto counts the versions that are left; AWS never gives a number again."""
    stock_publish = LambdaStorage.publish_version
    last: dict[tuple[LambdaStorage, str], int] = {}

    def publish(self: LambdaStorage, name_or_arn: str, description: str = "") -> Any:
        latest = self.get_function_by_name_or_arn_forbid_qualifier(name_or_arn)
        versions = self._functions[latest.function_name]["versions"]
        before = list(versions)
        # moto takes the number from how many there are: for a moment, let there be as many as ever.
        number = last.get((self, latest.function_name), 0)
        versions[:0] = [None] * (number - len(before))
        try:
            published = stock_publish(self, name_or_arn, description)
        finally:
            versions[:] = [version for version in versions if version]
        last[self, latest.function_name] = number + (len(versions) - len(before))
        return published

    LambdaStorage.publish_version = publish


def _versions_that_serve_cannot_be_deleted() -> None:
    """moto deletes a version that an alias points to."""
    stock_delete = LambdaStorage.del_function

    def delete(self: LambdaStorage, name_or_arn: str, qualifier: str | None = None) -> None:
        _, name, in_name = self.split_function_arn(name_or_arn)
        version = in_name or qualifier
        aliases = [
            alias.name
            for alias in self.list_aliases(name)
            if version == alias.function_version or version in weights(alias)
        ]
        if version and aliases:
            raise refusal(
                409,
                "ResourceConflictException",
                f"Unable to delete version {version}: these aliases reference it: {aliases}",
            )
        stock_delete(self, name_or_arn, qualifier)

    LambdaStorage.del_function = delete


def weights(alias: LambdaAlias) -> dict[str, float]:
    """Return the versions that get a share of an alias's calls, apart from the one it points to."""
    return (alias.routing_config or {}).get("AdditionalVersionWeights") or {}


def _alias_revisions_change_and_are_checked() -> None:
    """moto gives an alias one RevisionId for life, and ignores the one that a caller insists on."""
    updating = threading.Lock()
    stock_update = LambdaAlias.update
    stock_response = LambdaResponse.update_alias

    def update(self: LambdaAlias, *changes: Any) -> None:
        stock_update(self, *changes)
        self.revision_id = str(mock_random.uuid4())

    def update_alias(self: LambdaResponse) -> Any:
        function_name, _, alias_name = unquote(self.path).split("/")[-3:]
        expected = json.loads(self.body).get("RevisionId")
        # Of two that insist on the same revision, one must lose.
        with updating:
            alias = self.backend.get_alias(alias_name, function_name)
            if expected and expected != alias.revision_id:
                raise PreconditionFailedException(_STALE_REVISION)
            return stock_response(self)

    LambdaAlias.update = update
    LambdaResponse.update_alias = update_alias


def _accounts_have_settings() -> None:
    """moto does not return Lambda's quotas and their use."""

    def get_account_settings(self: LambdaResponse) -> str:
        functions = self.backend.list_functions("ALL")
        size = sum(function.code_size for function in functions)
        # What an account has at first, but for the concurrency of a new one, which is less.
        limit = {"TotalCodeSize": 75 * 1024**3, "ConcurrentExecutions": 1000}
        return json.dumps(
            {
                "AccountLimit": {**limit, "UnreservedConcurrentExecutions": 1000},
                "AccountUsage": {"TotalCodeSize": size, "FunctionCount": len(functions)},
            }
        )

    LambdaResponse.get_account_settings = get_account_settings
    add_path("account-settings/$")


def _code_signing_can_be_configured() -> None:
    """moto has no code signing configurations. These are stored; signatures are not checked."""
    kept: dict[str, dict[str, Any]] = {}
    _have_tags(kept)

    def arn_of(self: LambdaResponse) -> str:
        return unquote(self.path.rsplit("/", 1)[1])

    def get_code_signing_config(self: LambdaResponse) -> str:
        if arn_of(self) not in kept:
            raise refusal(404, "ResourceNotFoundException", "no such code signing configuration")
        return json.dumps({"CodeSigningConfig": kept[arn_of(self)]})

    def create(self: LambdaResponse) -> tuple[int, dict[str, str], str]:
        config_id = f"csc-{mock_random.get_random_hex(17)}"
        region, account_id = self.region, self.current_account
        arn = f"arn:aws:lambda:{region}:{account_id}:code-signing-config:{config_id}"
        own = {"CodeSigningConfigId": config_id, "CodeSigningConfigArn": arn}
        now = {"LastModified": iso_8601_datetime_with_nanoseconds()}
        kept[arn] = json.loads(self.body) | own | now
        return 201, {"status": "201"}, json.dumps({"CodeSigningConfig": kept[arn]})

    def update(self: LambdaResponse) -> str:
        kept[arn_of(self)] |= json.loads(self.body)
        return get_code_signing_config(self)

    def delete(self: LambdaResponse) -> tuple[int, dict[str, str], str]:
        del kept[arn_of(self)]
        return 204, {"status": "204"}, ""

    def put_on_function(self: LambdaResponse) -> str:
        function = self.backend.get_function(unquote(self.path.split("/")[-2]))
        function.code_signing_config_arn = json.loads(self.body)["CodeSigningConfigArn"]
        return json.dumps(function.get_function_code_signing_config())

    def delete_from_function(self: LambdaResponse) -> tuple[int, dict[str, str], str]:
        self.backend.get_function(unquote(self.path.split("/")[-2])).code_signing_config_arn = None
        return 204, {"status": "204"}, ""

    LambdaResponse.create_code_signing_config = create
    LambdaResponse.get_code_signing_config = get_code_signing_config
    LambdaResponse.update_code_signing_config = update
    LambdaResponse.delete_code_signing_config = delete
    LambdaResponse.put_function_code_signing_config = put_on_function
    LambdaResponse.delete_function_code_signing_config = delete_from_function
    add_path("code-signing-configs/?$")
    add_path("code-signing-configs/(?P<arn>[^/]+)$")


def _have_tags(configs: dict[str, dict[str, Any]]) -> None:
    """Let code signing configurations, by ARN, be tagged as functions are."""
    stock_resource = LambdaBackend._get_resource_by_arn

    def resource(self: LambdaBackend, arn: str) -> Any:
        if arn in configs:
            return SimpleNamespace(tags=configs[arn].setdefault("Tags", {}))
        return stock_resource(self, arn)

    LambdaBackend._get_resource_by_arn = resource


def add_path(pattern: str) -> None:
    """Let moto's Lambda take calls at another path; their names are those of AWS's own model."""
    url_paths[f"{{0}}/(?P<api_version>[^/]+)/{pattern}"] = LambdaResponse.dispatch
