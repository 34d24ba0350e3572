"""What a person calls the attributes of the service's resources."""

from __future__ import annotations

from pipeline.markdown import code

_WORDS = {
    ("aws_lambda_function", "s3_key"): "the function's code",
    ("aws_lambda_function", "source_code_hash"): "the function's code",
    ("aws_lambda_function", "function_name"): "name",
    ("aws_lambda_function", "layers"): "the layer",
    ("aws_lambda_function", "memory_size"): "memory",
    ("aws_lambda_function", "timeout"): "time limit",
    ("aws_lambda_function", "runtime"): "runtime",
    ("aws_lambda_function", "handler"): "handler",
    ("aws_lambda_function", "architectures"): "architecture",
    ("aws_lambda_function", "role"): "role",
    ("aws_lambda_function", "environment"): "environment variables",
    ("aws_lambda_function", "tracing_config.mode"): "tracing",
    ("aws_lambda_function", "logging_config.log_format"): "log format",
    ("aws_lambda_layer_version", "s3_key"): "the layer's contents",
    ("aws_lambda_layer_version", "source_code_hash"): "the layer's contents",
    ("aws_cloudwatch_log_group", "retention_in_days"): "how long the log is kept",
    ("aws_iam_role", "assume_role_policy"): "who may assume it",
    ("aws_iam_role_policy", "policy"): "what it permits",
    ("aws_apigatewayv2_route", "route_key"): "the route",
    ("aws_apigatewayv2_integration", "integration_uri"): "what it calls",
    ("aws_apigatewayv2_stage", "default_route_settings.throttling_rate_limit"): (
        "requests a second"
    ),
    ("aws_apigatewayv2_stage", "default_route_settings.throttling_burst_limit"): (
        "requests at once"
    ),
    ("aws_apigatewayv2_stage", "access_log_settings.format"): "what the access log holds",
}

_VARIABLE = "environment.variables."


def in_words(kind: str, attribute: str) -> str:
    """Return, as Markdown, what an attribute of a `kind` of resource is; unknown ones by name."""
    if kind == "aws_lambda_function" and attribute.startswith(_VARIABLE):
        return f"environment variable {code(attribute.removeprefix(_VARIABLE))}"
    return _WORDS.get((kind, attribute)) or code(attribute)
