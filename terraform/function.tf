locals {
  name = "${var.service}-${var.environment}"

  # From the variable that names a secret's parameter to that name.
  secrets = {
    for secret in var.secrets :
    "${upper(replace(secret, "-", "_"))}_PARAMETER" => "/${var.service}/${var.environment}/${secret}"
  }

  function_environment = merge(
    local.secrets,
    { API_KEYS = jsonencode(var.api_keys) },
    var.data_source == null ? {} : { DATA_SOURCE = var.data_source },
    var.jwt_authorizer == null ? {} : { JWT_ISSUER = var.jwt_authorizer.issuer },
    length(var.allowed_operators) == 0 ? {} : { ALLOWED_OPERATORS = join(",", var.allowed_operators) },
  )
}

resource "aws_lambda_function" "service" {
  #checkov:skip=CKV_AWS_116:A dead letter queue is for asynchronous calls; the API's are synchronous.
  #checkov:skip=CKV_AWS_173:The variables are names and hashes, no secrets; Lambda encrypts them itself.
  function_name = local.name
  description   = var.description
  role          = aws_iam_role.execution.arn

  s3_bucket        = var.artifact_bucket
  s3_key           = var.function_package.key
  source_code_hash = var.function_package.sha256_base64
  layers           = aws_lambda_layer_version.dependencies[*].arn

  handler       = var.handler
  runtime       = var.runtime
  architectures = [var.architecture]
  memory_size   = var.memory_mb
  timeout       = var.timeout_s

  # Every change of code, layer or configuration becomes a version of its own; the alias `live`
  # says which of them serves.
  publish = true

  reserved_concurrent_executions = var.reserved_concurrency
  code_signing_config_arn        = one(aws_lambda_code_signing_config.publishers[*].arn)

  environment {
    variables = local.function_environment
  }

  dynamic "vpc_config" {
    for_each = var.vpc[*]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  dynamic "snap_start" {
    for_each = var.snap_start ? ["PublishedVersions"] : []

    content {
      apply_on = snap_start.value
    }
  }

  tracing_config {
    mode = var.tracing_mode
  }

  logging_config {
    log_format = var.log_format
    log_group  = aws_cloudwatch_log_group.function.name
  }

  depends_on = [aws_iam_role_policy.execution]

  lifecycle {
    precondition {
      condition     = length(jsonencode(local.function_environment)) <= 4096
      error_message = "Lambda takes 4 KB of environment variables: too much in api_keys or allowed_operators. A key takes about 80 bytes and its scope."
    }
  }
}

resource "aws_lambda_code_signing_config" "publishers" {
  count = var.code_signing == null ? 0 : 1

  description = "Signers of the code of ${local.name}"

  allowed_publishers {
    signing_profile_version_arns = var.code_signing.signing_profile_version_arns
  }

  policies {
    untrusted_artifact_on_deployment = var.code_signing.untrusted_artifact_on_deployment
  }

  # Switched off, the function lets go of it before it is deleted.
  lifecycle {
    create_before_destroy = true
  }
}
