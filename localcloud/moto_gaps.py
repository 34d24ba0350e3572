"""What moto's Lambda and API Gateway lack and this project needs, filled in where it is missing.

Each function here mends one gap of moto 5.2.5 and says which. Everything else is moto's own.
"""

from __future__ import annotations

import base64
import json
import threading
from typing import Any
from urllib.parse import unquote

from moto.apigatewayv2.models import Api
from moto.awslambda.exceptions import PreconditionFailedException
from moto.awslambda.models import LambdaAlias, LambdaFunction
from moto.awslambda.responses import LambdaResponse
from moto.moto_api._internal import mock_random

from localcloud.functions import Functions, Target

_LOG_TAIL_BYTES = 4096


def fill(functions: Functions, api_root: str) -> None:
    """Fill every gap, once a process, before moto serves its first request."""
    _invoke_runs_the_code(functions)
    _functions_keep_their_logging_and_tracing()
    _alias_revisions_change_and_are_checked()
    _apis_answer_here(api_root)


def _invoke_runs_the_code(functions: Functions) -> None:
    """moto needs Docker to run code, loses the qualifier, and knows no alias weights."""

    def invoke(self: LambdaResponse) -> tuple[int, dict[str, str], str | bytes]:
        name = unquote(self.path.rstrip("/").rsplit("/", 2)[-2])
        target = functions.resolve(self.backend, name, self._get_param("Qualifier"))
        event = self.body.encode() if isinstance(self.body, str) else self.body
        kind = self.headers.get("X-Amz-Invocation-Type") or "RequestResponse"
        if kind == "DryRun":
            return 204, {"status": "204"}, ""
        if kind == "Event":
            arguments = (self.backend, target, event or b"{}")
            threading.Thread(target=functions.invoke, args=arguments, daemon=True).start()
            return 202, {"status": "202"}, ""
        with_tail = self.headers.get("X-Amz-Log-Type") == "Tail"
        return _answer(functions, self.backend, target, event or b"{}", with_tail)

    LambdaResponse.invoke = invoke


def _answer(
    functions: Functions, backend: Any, target: Target, event: bytes, with_tail: bool
) -> tuple[int, dict[str, str], bytes]:
    invocation = functions.invoke(backend, target, event)
    headers = {
        "content-type": "application/json",
        "x-amzn-RequestId": invocation.request_id,
        "X-Amz-Executed-Version": target.executed_version,
    }
    if invocation.function_error:
        headers["X-Amz-Function-Error"] = invocation.function_error
    if with_tail:
        tail = ("\n".join(invocation.log) + "\n").encode()[-_LOG_TAIL_BYTES:]
        headers["X-Amz-Log-Result"] = base64.b64encode(tail).decode()
    return 200, headers, invocation.payload


def _functions_keep_their_logging_and_tracing() -> None:
    """moto stores no LoggingConfig and drops changes of TracingConfig: a plan never gets empty."""
    stock_init = LambdaFunction.__init__
    stock_update = LambdaFunction.update_configuration
    stock_get = LambdaFunction.get_configuration

    def keep(self: LambdaFunction, spec: dict[str, Any]) -> None:
        default = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{self.function_name}"}
        given = spec.get("LoggingConfig")
        if given or not hasattr(self, "logging_config"):
            self.logging_config = default | (given or {})

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
        return configuration | {"LoggingConfig": self.logging_config}

    LambdaFunction.__init__ = init
    LambdaFunction.update_configuration = update
    LambdaFunction.get_configuration = get


def _alias_revisions_change_and_are_checked() -> None:
    """moto gives an alias one RevisionId for life, and ignores the one that a caller insists on."""
    stock_update = LambdaAlias.update
    stock_response = LambdaResponse.update_alias

    def update(self: LambdaAlias, *changes: Any) -> None:
        stock_update(self, *changes)
        self.revision_id = str(mock_random.uuid4())

    def update_alias(self: LambdaResponse) -> Any:
        function_name, _, alias_name = unquote(self.path).split("/")[-3:]
        expected = json.loads(self.body).get("RevisionId")
        alias = self.backend.get_alias(alias_name, function_name)
        if expected and expected != alias.revision_id:
            raise PreconditionFailedException(
                "The RevisionId provided does not match the latest RevisionId for the Lambda "
                "function or alias. Call the GetFunction or the GetAlias API to retrieve the "
                "latest RevisionId for your resource."
            )
        return stock_response(self)

    LambdaAlias.update = update
    LambdaResponse.update_alias = update_alias


def _apis_answer_here(api_root: str) -> None:
    """moto's APIs claim an address at amazonaws.com; here they answer below `api_root`."""
    stock_init = Api.__init__

    def init(self: Api, *arguments: Any, **named: Any) -> None:
        stock_init(self, *arguments, **named)
        self.api_endpoint = f"{api_root}/{self.api_id}"

    Api.__init__ = init
