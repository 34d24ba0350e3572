locals {
  name = "${var.service}-${var.environment}"
}

resource "aws_lambda_function" "mongo_client" {
  function_name = local.name
  description   = "HTTP front of a MongoDB database: health, and the Data API's ten actions"
  role          = aws_iam_role.function.arn

  s3_bucket        = var.artifact_bucket
  s3_key           = var.function_package.key
  source_code_hash = var.function_package.sha256_base64
  layers           = [aws_lambda_layer_version.pymongo.arn]

  handler       = var.handler
  runtime       = var.runtime
  architectures = [var.architecture]
  memory_size   = var.memory_mb
  timeout       = var.timeout_s

  # Every change of code, layer or configuration becomes a version of its own; the alias `live`
  # says which of them serves.
  publish = true

  environment {
    variables = {
      MONGODB_URI_PARAMETER = var.mongodb_uri_parameter
      API_KEY_SHA256S       = join(",", var.api_key_sha256s)
    }
  }

  tracing_config {
    mode = var.tracing_mode
  }

  logging_config {
    log_format = var.log_format
    log_group  = aws_cloudwatch_log_group.function.name
  }

  depends_on = [aws_iam_role_policy.function]
}
