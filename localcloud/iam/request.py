"""What a request to AWS asks for: which operation of which service, with which parameters.

moto's own router and parsers say it, from AWS's models of its services.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import NotFound, get_service_router
from moto.core.utils import get_service_model


@dataclass(frozen=True)
class ApiCall:
    """One call of AWS, in the words of its API; `service` is what boto3 calls it."""

    service: str
    operation: str
    parameters: dict[str, Any]
    method: str
    path: str


def read(application: str, request: Request) -> ApiCall | None:
    """Return what a request asks one of moto's applications for; None if no such call is known."""
    service = {"awslambda": "lambda"}.get(application, application)
    if application == "apigateway" and request.path.startswith("/v2/"):
        service = "apigatewayv2"
    try:
        operation, path_parameters = get_service_router(service).match(request)
    except (NotFound, NotImplementedError):
        # The second: its content type is of a protocol that the service does not speak.
        return None
    model = get_service_model(service)
    parser = PROTOCOL_PARSERS[determine_request_protocol(model, request.content_type)]
    parameters = parser(model.operation_model(operation.name), map_type=dict).parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.data,
            "url_path": request.path,
            "url_params": path_parameters,
        }
    )
    return ApiCall(service, operation.name, parameters, request.method, request.path)
