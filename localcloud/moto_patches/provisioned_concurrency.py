"""Provisioned concurrency, which moto does not know.

Here it is kept, and nothing starts any sooner. Sources: the API reference, "Managing Lambda
provisioned concurrency" in the developer guide, and on GitHub hashicorp/terraform#24957 (the words
of the refusal) and hashicorp/terraform-provider-aws#48116 (weights of Lambda's own).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from urllib.parse import unquote
from weakref import WeakKeyDictionary

from moto.awslambda.models import LambdaAlias, LambdaStorage
from moto.awslambda.responses import LambdaResponse
from moto.moto_api._internal import mock_random

from localcloud import conditions
from localcloud.moto_patches.lambda_invoke import refusal
from localcloud.moto_patches.lambda_functions import add_path, weights


@dataclass
class _Provisioned:
    """What one alias has, and until when Lambda moves it to another version."""

    executions: int
    moves_until: float | None = None


_kept: WeakKeyDictionary[LambdaAlias, _Provisioned] = WeakKeyDictionary()


def fill() -> None:
    """Keep provisioned concurrency, and let Lambda move it with the alias."""
    _concurrency_can_be_provisioned()
    _aliases_move_with_it()


def _concurrency_can_be_provisioned() -> None:
    def alias_of(self: LambdaResponse) -> LambdaAlias:
        name = unquote(self.path.split("/")[-2])
        return self.backend.get_alias(self._get_param("Qualifier"), name)

    def get(self: LambdaResponse) -> str:
        found = _kept.get(alias_of(self))
        if found is None:
            kind = "ProvisionedConcurrencyConfigNotFoundException"
            raise refusal(404, kind, "No Provisioned Concurrency Config found for this function")
        words = ("Requested", "Allocated", "Available")
        figures = {f"{word}ProvisionedConcurrentExecutions": found.executions for word in words}
        status = "IN_PROGRESS" if found.moves_until else "READY"
        return json.dumps(figures | {"Status": status})

    def put(self: LambdaResponse) -> tuple[int, dict[str, str], str]:
        alias = alias_of(self)
        _refuse_weights(weights(alias))
        _kept[alias] = _Provisioned(json.loads(self.body)["ProvisionedConcurrentExecutions"])
        return 202, {"status": "202"}, get(self)

    def delete(self: LambdaResponse) -> tuple[int, dict[str, str], str]:
        _kept.pop(alias_of(self), None)
        return 204, {"status": "204"}, ""

    LambdaResponse.put_provisioned_concurrency_config = put
    LambdaResponse.get_provisioned_concurrency_config = get
    LambdaResponse.delete_provisioned_concurrency_config = delete
    add_path("functions/(?P<function_name>[^/]+)/provisioned-concurrency$")


def _aliases_move_with_it() -> None:
    """Refuse weights on an alias that has it; give weights of Lambda's own while it moves."""
    stock_get = LambdaStorage._get_function_aliases
    stock_update = LambdaStorage.update_alias

    def get(self: LambdaStorage, function_name: str) -> dict[str, LambdaAlias]:
        aliases: dict[str, LambdaAlias] = stock_get(self, function_name)
        for alias in aliases.values():
            found = _kept.get(alias)
            if found and found.moves_until and found.moves_until <= time.monotonic():
                found.moves_until = None
                _set_weights(alias, {})
        return aliases

    def update(
        self: LambdaStorage,
        name: str,
        function_name: str,
        function_version: str,
        description: str,
        routing_config: dict[str, dict[str, float]] | None,
    ) -> LambdaAlias:
        alias = self.get_alias(name, function_name)
        found, before = _kept.get(alias), alias.function_version
        if found:
            _refuse_weights((routing_config or {}).get("AdditionalVersionWeights") or {})
        stock_update(self, name, function_name, function_version, description, routing_config)
        seconds = conditions.value(self.account_id, self.region_name, "provisioned-delay")
        if found and seconds and alias.function_version != before:
            found.moves_until = time.monotonic() + float(seconds)
            _set_weights(alias, {before: 1.0})
        return alias

    LambdaStorage._get_function_aliases = get
    LambdaStorage.update_alias = update


def _set_weights(alias: LambdaAlias, shares: dict[str, float]) -> None:
    alias.routing_config = {"AdditionalVersionWeights": shares}
    alias.revision_id = str(mock_random.uuid4())


def _refuse_weights(shares: dict[str, float]) -> None:
    if shares:
        raise refusal(
            400,
            "InvalidParameterValueException",
            "Alias with weights can not be used with Provisioned Concurrency",
        )
