# The options: off unless they are set, and what each brings when it is. Nothing of them in the plan
# of somebody who sets none. Run with: terraform -chdir=terraform test

mock_provider "aws" {
  source = "./tests/mocks"
}

run "each_is_off_unless_it_is_set" {
  command = plan

  assert {
    condition = alltrue([
      length(aws_lambda_function.service.vpc_config) == 0,
      length(data.aws_iam_policy_document.execution.statement) == 3,
    ])
    error_message = "Without vpc the function must be in none, and its role must not reach into EC2."
  }

  assert {
    condition     = length(aws_lambda_function.service.snap_start) == 0
    error_message = "SnapStart must be off."
  }

  assert {
    condition     = length(aws_lambda_provisioned_concurrency_config.live) == 0
    error_message = "No concurrency must be provisioned."
  }

  assert {
    condition     = aws_lambda_function.service.reserved_concurrent_executions == null
    error_message = "No concurrency must be reserved."
  }

  assert {
    condition     = aws_lambda_function.service.architectures == tolist(["x86_64"])
    error_message = "The architecture must be the bundle's."
  }

  assert {
    condition = alltrue([
      length(aws_apigatewayv2_domain_name.custom) == 0,
      length(aws_apigatewayv2_api_mapping.custom) == 0,
      output.domain_target == null,
    ])
    error_message = "There must be no custom domain."
  }

  assert {
    condition = alltrue([
      length(aws_apigatewayv2_authorizer.jwt) == 0,
      length(aws_apigatewayv2_route.open) == 0,
      aws_apigatewayv2_route.api.authorization_type == "NONE",
      !contains(keys(aws_lambda_function.service.environment[0].variables), "JWT_ISSUER"),
    ])
    error_message = "There must be no authorizer, and the handler must get no issuer."
  }

  assert {
    condition     = length(aws_lambda_code_signing_config.publishers) == 0
    error_message = "Code signing must be off."
  }

  assert {
    condition     = aws_iam_role.execution.permissions_boundary == null
    error_message = "There must be no permissions boundary."
  }

  assert {
    condition     = length(coalesce(aws_cloudwatch_metric_alarm.errors.alarm_actions, [])) == 0
    error_message = "No topic must be notified of alarms."
  }
}

run "a_permissions_boundary_bounds_the_functions_role" {
  command = plan
  variables { permissions_boundary = "mongo-client-function" }

  override_data {
    target = data.aws_caller_identity.current
    values = { account_id = "123456789012" }
  }

  override_data {
    target = data.aws_partition.current
    values = { partition = "aws" }
  }

  assert {
    condition     = aws_iam_role.execution.permissions_boundary == "arn:aws:iam::123456789012:policy/mongo-client-function"
    error_message = "The boundary must be this account's policy of that name."
  }
}

run "a_boundarys_arn_is_no_name" {
  command = plan
  variables { permissions_boundary = "arn:aws:iam::123456789012:policy/mongo-client-function" }
  expect_failures = [var.permissions_boundary]
}

run "a_topic_is_notified_of_every_alarm" {
  command = plan
  variables { alarm_topic_arn = "arn:aws:sns:us-east-1:123456789012:alarms" }

  assert {
    condition = alltrue([for alarm in [
      aws_cloudwatch_metric_alarm.errors,
      aws_cloudwatch_metric_alarm.duration,
      aws_cloudwatch_metric_alarm.throttles,
      aws_cloudwatch_metric_alarm.database,
      aws_cloudwatch_metric_alarm.api,
    ] : alarm.alarm_actions == toset([var.alarm_topic_arn]) && alarm.ok_actions == alarm.alarm_actions])
    error_message = "The topic must be notified when an alarm begins, and when it is over."
  }
}

run "a_topics_name_is_no_arn" {
  command = plan
  variables { alarm_topic_arn = "alarms" }
  expect_failures = [var.alarm_topic_arn]
}

run "vpc_attaches_the_function_and_lets_its_role_do_so" {
  command = plan
  variables {
    vpc = { subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"] }
  }

  assert {
    condition = (
      aws_lambda_function.service.vpc_config[0].subnet_ids == toset(var.vpc.subnet_ids)
      && aws_lambda_function.service.vpc_config[0].security_group_ids == toset(var.vpc.security_group_ids)
    )
    error_message = "The function must be in the subnets, with the security groups."
  }

  assert {
    condition = contains(
      flatten([for each in data.aws_iam_policy_document.execution.statement : tolist(each.actions)]),
      "ec2:CreateNetworkInterface",
    )
    error_message = "The function's role must be able to attach it."
  }
}

run "a_vpc_without_subnets_is_refused" {
  command = plan
  variables {
    vpc = { subnet_ids = [], security_group_ids = ["sg-1"] }
  }
  expect_failures = [var.vpc]
}

run "a_vpcs_own_id_is_no_subnet" {
  command = plan
  variables {
    vpc = { subnet_ids = ["vpc-1"], security_group_ids = ["sg-1"] }
  }
  expect_failures = [var.vpc]
}

run "snap_start_is_for_published_versions" {
  command = plan
  variables { snap_start = true }

  assert {
    condition     = aws_lambda_function.service.snap_start[0].apply_on == "PublishedVersions"
    error_message = "SnapStart must apply to published versions."
  }
}

run "concurrency_is_provisioned_on_live" {
  command = plan
  variables { provisioned_concurrency = 2 }

  assert {
    condition = (
      aws_lambda_provisioned_concurrency_config.live[0].qualifier == "live"
      && aws_lambda_provisioned_concurrency_config.live[0].provisioned_concurrent_executions == 2
    )
    error_message = "The alias live must have the environments."
  }
}

run "snap_start_and_provisioned_concurrency_exclude_each_other" {
  command = plan
  variables {
    snap_start              = true
    provisioned_concurrency = 2
  }
  expect_failures = [var.snap_start]
}

run "no_environment_at_all_is_no_provisioned_concurrency" {
  command = plan
  variables { provisioned_concurrency = 0 }
  expect_failures = [var.provisioned_concurrency]
}

run "concurrency_is_reserved_for_the_function" {
  command = plan
  variables { reserved_concurrency = 20 }

  assert {
    condition     = aws_lambda_function.service.reserved_concurrent_executions == 20
    error_message = "The function must have its reserve."
  }
}

run "a_reserve_of_nothing_would_stop_the_function" {
  command = plan
  variables { reserved_concurrency = 0 }
  expect_failures = [var.reserved_concurrency]
}

run "no_more_can_be_provisioned_than_is_reserved" {
  command = plan
  variables {
    reserved_concurrency    = 5
    provisioned_concurrency = 6
  }
  expect_failures = [var.provisioned_concurrency]
}

run "a_bundle_for_arm64_runs_on_arm64" {
  command = plan
  variables { architecture = "arm64" }

  assert {
    condition = (
      aws_lambda_function.service.architectures == tolist(["arm64"])
      && aws_lambda_layer_version.dependencies[0].compatible_architectures == toset(["arm64"])
    )
    error_message = "Function and layer must be for the bundle's architecture."
  }
}

run "a_custom_domain_leads_to_the_api" {
  # Ids are known after an apply only; the provider is a mock.
  command = apply
  variables {
    custom_domain = {
      name            = "api.example.com"
      certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1"
    }
  }

  assert {
    condition = (
      aws_apigatewayv2_domain_name.custom[0].domain_name == "api.example.com"
      && aws_apigatewayv2_domain_name.custom[0].domain_name_configuration[0].security_policy == "TLS_1_2"
    )
    error_message = "The domain must be there, and take nothing older than TLS 1.2."
  }

  assert {
    condition = (
      aws_apigatewayv2_api_mapping.custom[0].api_id == aws_apigatewayv2_api.http.id
      && aws_apigatewayv2_api_mapping.custom[0].stage == aws_apigatewayv2_stage.default.id
    )
    error_message = "The domain must lead to the API."
  }

  assert {
    condition     = output.custom_url == "https://api.example.com"
    error_message = "The output must have the API's address."
  }

  assert {
    condition     = output.domain_target.name == aws_apigatewayv2_domain_name.custom[0].domain_name_configuration[0].target_domain_name
    error_message = "The output must have the target of the DNS record."
  }
}

run "a_domain_with_a_scheme_is_refused" {
  command = plan
  variables {
    custom_domain = {
      name            = "https://api.example.com"
      certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1"
    }
  }
  expect_failures = [var.custom_domain]
}

run "a_domain_without_acms_certificate_is_refused" {
  command = plan
  variables {
    custom_domain = { name = "api.example.com", certificate_arn = "certificate.pem" }
  }
  expect_failures = [var.custom_domain]
}

run "a_jwt_authorizer_guards_the_data_routes_and_leaves_health_open" {
  command = plan
  variables {
    jwt_authorizer = { issuer = "https://issuer.example", audience = ["mongo-client"] }
  }

  assert {
    condition = (
      aws_apigatewayv2_authorizer.jwt[0].authorizer_type == "JWT"
      && aws_apigatewayv2_authorizer.jwt[0].jwt_configuration[0].issuer == "https://issuer.example"
      && aws_apigatewayv2_authorizer.jwt[0].jwt_configuration[0].audience == toset(["mongo-client"])
    )
    error_message = "The authorizer must ask for the issuer's tokens for that audience."
  }

  assert {
    condition     = aws_apigatewayv2_route.api.authorization_type == "JWT"
    error_message = "The data routes must ask for a token."
  }

  assert {
    condition = { for route in aws_apigatewayv2_route.open : route.route_key => route.authorization_type } == {
      "GET /api/health"       = "NONE"
      "HEAD /api/health"      = "NONE"
      "OPTIONS /api/{proxy+}" = "NONE"
    }
    error_message = "Health and browsers' preflight requests must stay open."
  }

  assert {
    condition     = aws_lambda_function.service.environment[0].variables["JWT_ISSUER"] == "https://issuer.example"
    error_message = "The handler must know the issuer of the tokens that it accepts."
  }
}

run "an_issuer_without_tls_is_refused" {
  command = plan
  variables {
    jwt_authorizer = { issuer = "http://issuer.example", audience = ["mongo-client"] }
  }
  expect_failures = [var.jwt_authorizer]
}

run "an_authorizer_for_no_audience_is_refused" {
  command = plan
  variables {
    jwt_authorizer = { issuer = "https://issuer.example", audience = [] }
  }
  expect_failures = [var.jwt_authorizer]
}

run "code_signing_takes_the_named_signers" {
  command = plan
  variables {
    code_signing = {
      signing_profile_version_arns     = ["arn:aws:signer:us-east-1:123456789012:/signing-profiles/p/1234567890"]
      untrusted_artifact_on_deployment = "Enforce"
    }
  }

  assert {
    condition = (
      aws_lambda_code_signing_config.publishers[0].allowed_publishers[0].signing_profile_version_arns
      == toset(var.code_signing.signing_profile_version_arns)
      && aws_lambda_code_signing_config.publishers[0].policies[0].untrusted_artifact_on_deployment == "Enforce"
    )
    error_message = "Lambda must refuse what the named signers did not sign."
  }
}

run "code_signing_without_a_signer_is_refused" {
  command = plan
  variables {
    code_signing = { signing_profile_version_arns = [], untrusted_artifact_on_deployment = "Enforce" }
  }
  expect_failures = [var.code_signing]
}

run "code_signing_knows_enforce_and_warn" {
  command = plan
  variables {
    code_signing = {
      signing_profile_version_arns     = ["arn:aws:signer:us-east-1:123456789012:/signing-profiles/p/1234567890"]
      untrusted_artifact_on_deployment = "Refuse"
    }
  }
  expect_failures = [var.code_signing]
}
