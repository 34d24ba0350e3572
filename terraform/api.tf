resource "aws_apigatewayv2_api" "http" {
  name          = local.name
  description   = "HTTP API in front of the alias live"
  protocol_type = "HTTP"

  # API Gateway answers a browser's preflight request, and adds these headers to each answer.
  dynamic "cors_configuration" {
    for_each = length(var.cors_origins) == 0 ? [] : [var.cors_origins]

    content {
      allow_origins = cors_configuration.value
      allow_methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
      allow_headers = ["accept", "api-key", "apikey", "authorization", "content-type"]
      max_age       = 3600
    }
  }
}

resource "aws_apigatewayv2_integration" "live" {
  api_id                 = aws_apigatewayv2_api.http.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_alias.live.invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "api" {
  api_id    = aws_apigatewayv2_api.http.id
  route_key = "ANY /api/{proxy+}"
  target    = "integrations/${aws_apigatewayv2_integration.live.id}"

  authorization_type = var.jwt_authorizer == null ? "NONE" : "JWT"
  authorizer_id      = one(aws_apigatewayv2_authorizer.jwt[*].id)
}

resource "aws_apigatewayv2_route" "more" {
  for_each = var.routes

  api_id    = aws_apigatewayv2_api.http.id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.live.id}"

  authorization_type = var.jwt_authorizer == null ? "NONE" : "JWT"
  authorizer_id      = one(aws_apigatewayv2_authorizer.jwt[*].id)
}

resource "aws_apigatewayv2_authorizer" "jwt" {
  count = var.jwt_authorizer == null ? 0 : 1

  api_id           = aws_apigatewayv2_api.http.id
  name             = "jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.jwt_authorizer.issuer
    audience = var.jwt_authorizer.audience
  }

  # Switched off, the route lets go of it before it is deleted.
  lifecycle {
    create_before_destroy = true
  }
}

# Behind an authorizer, a monitor would need a token, and so would a browser's preflight request: an
# ANY route takes that as well, and browsers send no token with it.
resource "aws_apigatewayv2_route" "open" {
  #checkov:skip=CKV_AWS_309:Open by intent: they show whether the database answers, and versions.
  for_each = toset(var.jwt_authorizer == null ? [] : ["GET /api/health", "HEAD /api/health", "OPTIONS /api/{proxy+}"])

  api_id    = aws_apigatewayv2_api.http.id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.live.id}"

  authorization_type = "NONE"
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.http.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = var.throttle_requests_per_second
    throttling_burst_limit = var.throttle_burst
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api.arn
    format = jsonencode({
      requestId        = "$context.requestId"
      time             = "$context.requestTime"
      sourceIp         = "$context.identity.sourceIp"
      method           = "$context.httpMethod"
      path             = "$context.path"
      status           = "$context.status"
      responseLength   = "$context.responseLength"
      responseLatency  = "$context.responseLatency"
      integrationError = "$context.integrationErrorMessage"
    })
  }
}

resource "aws_lambda_permission" "api" {
  statement_id  = "api"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.service.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.http.execution_arn}/*/*"
}

resource "aws_apigatewayv2_domain_name" "custom" {
  count = var.custom_domain == null ? 0 : 1

  domain_name = var.custom_domain.name

  domain_name_configuration {
    certificate_arn = var.custom_domain.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "custom" {
  count = var.custom_domain == null ? 0 : 1

  api_id      = aws_apigatewayv2_api.http.id
  domain_name = aws_apigatewayv2_domain_name.custom[0].id
  stage       = aws_apigatewayv2_stage.default.id
}
