output "function_name" {
  description = "Name of the Lambda function."
  value       = aws_lambda_function.service.function_name
}

output "function_version" {
  description = "Newest published version. The alias live points to the version that serves."
  value       = aws_lambda_function.service.version
}

output "alias_name" {
  description = "Alias that serves the API's traffic."
  value       = aws_lambda_alias.live.name
}

output "layer_version_arn" {
  description = "Layer version of the newest published version. Null without a layer."
  value       = one(aws_lambda_layer_version.dependencies[*].arn)
}

output "api_url" {
  description = "URL of the API."
  value       = aws_apigatewayv2_api.http.api_endpoint
}

output "custom_url" {
  description = "URL of the API at the custom domain, once its DNS record exists. Null without one, or with a wildcard."
  value       = one([for domain in aws_apigatewayv2_domain_name.custom : "https://${domain.domain_name}" if !startswith(domain.domain_name, "*")])
}

output "log_group_name" {
  description = "Log group of the function."
  value       = aws_cloudwatch_log_group.function.name
}

output "alarm_names" {
  description = "Alarms on the calls of the alias live."
  value = [for alarm in [
    aws_cloudwatch_metric_alarm.errors,
    aws_cloudwatch_metric_alarm.duration,
    aws_cloudwatch_metric_alarm.throttles,
    aws_cloudwatch_metric_alarm.database,
    aws_cloudwatch_metric_alarm.api,
  ] : alarm.alarm_name]
}

output "domain_target" {
  description = "Target of the custom domain's DNS record: a name (CNAME), or the name and zone of a Route 53 alias. Null without one."
  value = one([for domain in aws_apigatewayv2_domain_name.custom : {
    name    = domain.domain_name_configuration[0].target_domain_name
    zone_id = domain.domain_name_configuration[0].hosted_zone_id
  }])
}
