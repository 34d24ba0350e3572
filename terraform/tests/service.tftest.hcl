# What holds at plan time, without an account: bad values are refused with a sentence that helps,
# and the service is what its promises need. Run with: terraform -chdir=terraform test

mock_provider "aws" {
  source = "./tests/mocks"
}

run "the_function_is_published_from_the_bundle" {
  command = plan

  assert {
    condition     = aws_lambda_function.service.publish
    error_message = "Every change must become a version of its own."
  }

  assert {
    condition     = aws_lambda_function.service.source_code_hash == var.function_package.sha256_base64
    error_message = "The function's code must be the bundle's."
  }

  assert {
    condition     = aws_lambda_function.service.function_name == "mongo-client-staging"
    error_message = "The function must be called <service>-<environment>."
  }

  assert {
    condition     = aws_lambda_layer_version.dependencies[0].skip_destroy
    error_message = "A layer version that a rollback needs must stay."
  }
}

run "the_connection_string_is_named_and_not_carried" {
  command = plan

  assert {
    condition = (
      aws_lambda_function.service.environment[0].variables["MONGODB_URI_PARAMETER"]
      == "/mongo-client/staging/mongodb-uri"
    )
    error_message = "The function must get the parameter's name."
  }

  assert {
    condition     = !contains(keys(aws_lambda_function.service.environment[0].variables), "MONGODB_URI")
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

run "null_is_the_default_where_there_must_be_a_value" {
  command = plan
  variables {
    memory_mb        = null
    api_keys         = null
    alarm_thresholds = null
    tracing_mode     = null
  }

  assert {
    condition = (
      aws_lambda_function.service.memory_size == 256
      && aws_lambda_function.service.environment[0].variables["API_KEYS"] == "{}"
      && aws_cloudwatch_metric_alarm.errors.threshold == 5
    )
    error_message = "A setting that is null must be as one that is not there."
  }

  assert {
    condition     = aws_lambda_function.service.tracing_config[0].mode == "PassThrough"
    error_message = "Traces cost 5 USD a million and the share that Lambda samples is not adjustable: off by default."
  }
}

run "the_api_logs_where_no_resource_policy_fills_up" {
  command = plan

  assert {
    condition     = aws_cloudwatch_log_group.api.name == "/aws/vendedlogs/apigateway/mongo-client-staging"
    error_message = "The group must be under /aws/vendedlogs/."
  }
}

run "api_gateways_own_failures_have_an_alarm" {
  # Ids are known after an apply only; the provider is a mock.
  command = apply

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.api.namespace == "AWS/ApiGateway"
      && aws_cloudwatch_metric_alarm.api.metric_name == "5xx"
      && aws_cloudwatch_metric_alarm.api.dimensions == tomap({ ApiId = aws_apigatewayv2_api.http.id })
    )
    error_message = "What API Gateway cannot pass on must be counted: Lambda does not."
  }
}

run "a_connection_string_is_no_parameter_name" {
  command = plan
  variables { secrets = ["mongodb://user:secret@host"] }
  expect_failures = [var.secrets]
}

run "a_function_can_be_without_a_layer_and_secrets" {
  command = plan
  variables {
    layer_package = null
    secrets       = []
  }

  assert {
    condition     = length(aws_lambda_function.service.layers) == 0 && output.layer_version_arn == null
    error_message = "There must be no layer."
  }

  assert {
    condition     = keys(aws_lambda_function.service.environment[0].variables) == tolist(["API_KEYS"])
    error_message = "It must get no parameter."
  }

  assert {
    condition = anytrue([
      for statement in data.aws_iam_policy_document.execution.statement :
      statement.sid == "ReadSecrets" && alltrue([
        for resource in statement.resources : endswith(resource, ":parameter/mongo-client/staging/*")
      ])
    ])
    error_message = "A version that still serves must be able to read what this release does not name any more."
  }
}

run "a_key_is_no_hash" {
  command = plan
  variables { api_keys = { "my-secret-key" = "read" } }
  expect_failures = [var.api_keys]
}

run "a_scope_of_other_words_is_refused" {
  command = plan
  variables { api_keys = { (sha256("key")) = "read admin" } }
  expect_failures = [var.api_keys]
}

run "a_scope_without_words_is_refused" {
  command = plan
  variables { api_keys = { (sha256("key")) = "" } }
  expect_failures = [var.api_keys]
}

run "more_than_lambda_takes_is_refused" {
  command = plan
  variables { api_keys = { for n in range(50) : sha256(n) => "read:shop" } }
  expect_failures = [aws_lambda_function.service]
}

run "no_name_is_no_data_source" {
  command = plan
  variables { data_source = "" }
  expect_failures = [var.data_source]
}

run "an_operator_has_its_dollar" {
  command = plan
  variables { allowed_operators = ["where"] }
  expect_failures = [var.allowed_operators]
}

run "any_origin_is_no_origin" {
  command = plan
  variables { cors_origins = ["*"] }
  expect_failures = [var.cors_origins]
}

run "an_origin_has_no_path" {
  command = plan
  variables { cors_origins = ["https://app.example.com/"] }
  expect_failures = [var.cors_origins]
}

run "the_function_gets_who_may_do_what" {
  command = plan
  variables {
    api_keys          = { (sha256("key")) = "read:my-shop write:my-shop.orders.2026" }
    data_source       = "Cluster0"
    allowed_operators = ["$where", "$out"]
    jwt_authorizer    = { issuer = "https://issuer.example", audience = ["orders"] }
  }

  assert {
    condition = aws_lambda_function.service.environment[0].variables == tomap({
      MONGODB_URI_PARAMETER = "/mongo-client/staging/mongodb-uri"
      API_KEYS              = "{\"${sha256("key")}\":\"read:my-shop write:my-shop.orders.2026\"}"
      DATA_SOURCE           = "Cluster0"
      ALLOWED_OPERATORS     = "$out,$where"
      JWT_ISSUER            = "https://issuer.example"
    })
    error_message = "Each setting must reach the function as its environment variable."
  }
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

run "logs_can_be_kept_for_years" {
  command = plan
  variables { log_retention_days = 1096 }

  assert {
    condition     = aws_cloudwatch_log_group.function.retention_in_days == 1096
    error_message = "Every period that CloudWatch Logs has must be accepted."
  }
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

run "nothing_is_public" {
  # The role's policy names ARNs, which are known after an apply only; the provider is a mock.
  command = apply

  assert {
    condition = (
      aws_lambda_permission.api.principal == "apigateway.amazonaws.com"
      && aws_lambda_permission.api.qualifier == "live"
    )
    error_message = "Only API Gateway may call the function, and only its alias live."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.trust.statement : alltrue([
        for principal in statement.principals :
        principal.type == "Service" && principal.identifiers == toset(["lambda.amazonaws.com"])
      ])
    ])
    error_message = "Only Lambda may take the function's role."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.execution.statement :
      statement.sid == "SendTraces" || !contains(statement.resources, "*")
    ])
    error_message = "Only X-Ray's actions, which know no resources, may be allowed on all."
  }

  assert {
    condition     = aws_lambda_function.service.environment[0].variables["API_KEYS"] == "{}"
    error_message = "Without keys the data routes must be closed."
  }
}

run "alarms_watch_what_callers_of_live_meet" {
  command = plan

  assert {
    condition = output.alarm_names == [
      "mongo-client-staging-errors",
      "mongo-client-staging-duration",
      "mongo-client-staging-throttles",
      "mongo-client-staging-database",
      "mongo-client-staging-api",
    ]
    error_message = "There must be five alarms, called <service>-<environment>-<what>."
  }

  assert {
    condition = alltrue([
      for dimensions in [
        aws_cloudwatch_metric_alarm.duration.dimensions,
        aws_cloudwatch_metric_alarm.throttles.dimensions,
        one([for query in aws_cloudwatch_metric_alarm.errors.metric_query : query.metric[0].dimensions if query.id == "errors"]),
      ] : dimensions == tomap({ FunctionName = "mongo-client-staging", Resource = "mongo-client-staging:live" })
    ])
    error_message = "Lambda's metrics must be those of the alias live."
  }

  assert {
    condition = alltrue([
      for filter in [
        aws_cloudwatch_log_metric_filter.answered_5xx,
        aws_cloudwatch_log_metric_filter.database_failures,
      ] : strcontains(filter.pattern, "$.qualifier = \"live\"") && filter.log_group_name == "/aws/lambda/mongo-client-staging"
    ])
    error_message = "What is counted out of the log must be live's."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.database.metric_name == aws_cloudwatch_log_metric_filter.database_failures.metric_transformation[0].name
      && aws_cloudwatch_metric_alarm.database.namespace == aws_cloudwatch_log_metric_filter.database_failures.metric_transformation[0].namespace
    )
    error_message = "The alarm must watch what the filter counts."
  }

  assert {
    condition = alltrue([for alarm in [
      aws_cloudwatch_metric_alarm.errors,
      aws_cloudwatch_metric_alarm.duration,
      aws_cloudwatch_metric_alarm.throttles,
      aws_cloudwatch_metric_alarm.database,
      aws_cloudwatch_metric_alarm.api,
    ] : alarm.treat_missing_data == "notBreaching"])
    error_message = "That nobody calls must be no alarm."
  }

  assert {
    condition = alltrue([for alarm in [
      aws_cloudwatch_metric_alarm.duration,
      aws_cloudwatch_metric_alarm.throttles,
      aws_cloudwatch_metric_alarm.database,
      aws_cloudwatch_metric_alarm.api,
      ] : alarm.period == 300 && alarm.evaluation_periods == 1]) && alltrue([
      for query in aws_cloudwatch_metric_alarm.errors.metric_query : query.metric[0].period == 300 if query.id != "failed"
    ])
    error_message = "An alarm must look at the last five minutes, which CloudWatch moves on every minute."
  }
}

run "thresholds_can_be_set_one_by_one" {
  command = plan
  variables { alarm_thresholds = { duration_p95_ms = 500 } }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.duration.threshold == 500
      && aws_cloudwatch_metric_alarm.errors.threshold == 5
    )
    error_message = "The one that is set must change, and the others stay."
  }
}

run "the_dashboard_shows_four_figures_each_marked_with_releases" {
  command = plan

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.service.dashboard_body).widgets) == 4
    error_message = "The dashboard must be JSON with a widget each for duration, memory, error rate, invocations."
  }

  assert {
    condition = alltrue([
      for widget in jsondecode(aws_cloudwatch_dashboard.service.dashboard_body).widgets : toset([
        for metric in widget.properties.metrics : metric[5] if try(metric[1] == "Releases", false)
        && try(metric[0] == "mongo-client" && metric[3] == "staging" && metric[6].yAxis == "right", false)
      ]) == toset(["deploy", "rollback"])
    ])
    error_message = "Each widget must have this environment's releases and rollbacks on its right axis."
  }
}

run "memory_is_read_from_reports_in_either_format" {
  command = plan
  variables { log_format = "JSON" }

  assert {
    condition = (
      strcontains(aws_cloudwatch_log_metric_filter.memory_used.pattern, "platform.report")
      && aws_cloudwatch_log_metric_filter.memory_used.metric_transformation[0].value == "$.record.metrics.maxMemoryUsedMB"
    )
    error_message = "With JSON the report is an object."
  }
}

run "a_threshold_that_always_fires_is_refused" {
  command = plan
  variables { alarm_thresholds = { errors = 0 } }
  expect_failures = [var.alarm_thresholds]
}

run "without_origins_no_page_may_call" {
  command = plan

  assert {
    condition     = length(aws_apigatewayv2_api.http.cors_configuration) == 0
    error_message = "CORS must be off unless origins are configured."
  }
}

run "pages_of_the_configured_origins_may_call" {
  command = plan
  variables { cors_origins = ["https://app.example.com", "http://localhost:3000"] }

  assert {
    condition = (
      aws_apigatewayv2_api.http.cors_configuration[0].allow_origins == toset(["https://app.example.com", "http://localhost:3000"])
      && contains(aws_apigatewayv2_api.http.cors_configuration[0].allow_headers, "apikey")
      && contains(aws_apigatewayv2_api.http.cors_configuration[0].allow_methods, "POST")
      && aws_apigatewayv2_api.http.cors_configuration[0].allow_credentials == null
    )
    error_message = "Pages of the origins must be able to send a key with a POST."
  }
}

run "further_routes_call_the_function_as_well" {
  command = plan
  variables { routes = ["POST /app/{id}/endpoint/{proxy+}"] }

  assert {
    condition     = [for route in aws_apigatewayv2_route.more : route.route_key] == ["POST /app/{id}/endpoint/{proxy+}"]
    error_message = "Each route of function.toml must be one of the API's."
  }
}
