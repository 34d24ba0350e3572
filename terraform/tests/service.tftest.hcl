# What holds at plan time, without an account: bad values are refused with a sentence that helps,
# and the service is what its promises need. Run with: terraform -chdir=terraform test

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  environment           = "staging"
  mongodb_uri_parameter = "/mongo-client/staging/mongodb-uri"
  artifact_bucket       = "artifacts"
  function_package      = { key = "packages/f/lambda_function.zip", sha256_base64 = "Zg==" }
  layer_package         = { key = "packages/l/pymongo-layer.zip", sha256_base64 = "bA==" }
  handler               = "lambda_function.lambda_handler"
  runtime               = "python3.13"
  architecture          = "x86_64"
}

run "the_function_is_published_from_the_bundle" {
  command = plan

  assert {
    condition     = aws_lambda_function.mongo_client.publish
    error_message = "Every change must become a version of its own."
  }

  assert {
    condition     = aws_lambda_function.mongo_client.source_code_hash == var.function_package.sha256_base64
    error_message = "The function's code must be the bundle's."
  }

  assert {
    condition     = aws_lambda_function.mongo_client.function_name == "mongo-client-staging"
    error_message = "The function must be called <service>-<environment>."
  }

  assert {
    condition     = aws_lambda_layer_version.pymongo.skip_destroy
    error_message = "A layer version that a rollback needs must stay."
  }
}

run "the_connection_string_is_named_and_not_carried" {
  command = plan

  assert {
    condition = (
      aws_lambda_function.mongo_client.environment[0].variables["MONGODB_URI_PARAMETER"]
      == var.mongodb_uri_parameter
    )
    error_message = "The function must be told the parameter's name."
  }

  assert {
    condition     = !contains(keys(aws_lambda_function.mongo_client.environment[0].variables), "MONGODB_URI")
    error_message = "The connection string itself must not be in the configuration."
  }
}

run "the_api_is_throttled_and_logged" {
  command = plan

  assert {
    condition     = aws_apigatewayv2_stage.default.default_route_settings[0].throttling_rate_limit == 100
    error_message = "The stage must throttle."
  }

  assert {
    condition     = length(aws_apigatewayv2_stage.default.access_log_settings) == 1
    error_message = "The stage must write an access log."
  }

  assert {
    condition     = aws_cloudwatch_log_group.function.retention_in_days == 30
    error_message = "Logs must not be kept for ever."
  }
}

run "an_unknown_environment_is_refused" {
  command = plan
  variables { environment = "prod" }
  expect_failures = [var.environment]
}

run "a_connection_string_is_no_parameter_name" {
  command = plan
  variables { mongodb_uri_parameter = "mongodb://user:secret@host" }
  expect_failures = [var.mongodb_uri_parameter]
}

run "a_key_is_no_hash" {
  command = plan
  variables { api_key_sha256s = ["my-secret-key"] }
  expect_failures = [var.api_key_sha256s]
}

run "too_little_memory_is_refused" {
  command = plan
  variables { memory_mb = 64 }
  expect_failures = [var.memory_mb]
}

run "a_time_limit_beyond_the_apis_is_refused" {
  command = plan
  variables { timeout_s = 60 }
  expect_failures = [var.timeout_s]
}

run "an_unknown_architecture_is_refused" {
  command = plan
  variables { architecture = "arm" }
  expect_failures = [var.architecture]
}

run "an_unknown_retention_is_refused" {
  command = plan
  variables { log_retention_days = 31 }
  expect_failures = [var.log_retention_days]
}

run "an_unknown_log_format_is_refused" {
  command = plan
  variables { log_format = "text" }
  expect_failures = [var.log_format]
}

run "an_unknown_tracing_mode_is_refused" {
  command = plan
  variables { tracing_mode = "on" }
  expect_failures = [var.tracing_mode]
}

run "a_throttle_of_nothing_is_refused" {
  command = plan
  variables {
    throttle_requests_per_second = 0
    throttle_burst               = 0
  }
  expect_failures = [var.throttle_requests_per_second, var.throttle_burst]
}
