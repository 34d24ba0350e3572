# Alarms on what the callers of the API, and of the alias live behind it, meet. What is not counted (nobody called) is no alarm.

locals {
  # Lambda counts what is called through an alias by this pair.
  live_dimensions = {
    FunctionName = aws_lambda_function.service.function_name
    Resource     = "${aws_lambda_function.service.function_name}:${aws_lambda_alias.live.name}"
  }

  # CloudWatch evaluates an alarm of any period from one minute on every minute, over the period that
  # ends then ("Alarm evaluation" in its user guide). So the sum of five minutes crosses a threshold as
  # soon as that of one minute would, counts what trickles in, and stays for five minutes: it does not
  # flap. Five periods of a minute each would miss the trickle. Below a minute, an alarm costs more.
  alarm_period_s = 300
  alarm_actions  = var.alarm_topic_arn == null ? [] : [var.alarm_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${local.name}-errors"
  alarm_description   = "Calls of live that failed (an exception, a timeout), or were answered with 5xx."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.alarm_thresholds.errors
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions

  metric_query {
    id          = "failed"
    expression  = "FILL(errors, 0) + FILL(answered, 0)"
    label       = "errors"
    return_data = true
  }

  metric_query {
    id = "errors"

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Errors"
      dimensions  = local.live_dimensions
      stat        = "Sum"
      period      = local.alarm_period_s
    }
  }

  metric_query {
    id = "answered"

    metric {
      namespace   = aws_cloudwatch_log_metric_filter.answered_5xx.metric_transformation[0].namespace
      metric_name = aws_cloudwatch_log_metric_filter.answered_5xx.metric_transformation[0].name
      stat        = "Sum"
      period      = local.alarm_period_s
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "duration" {
  alarm_name          = "${local.name}-duration"
  alarm_description   = "95th percentile of the duration of live's calls, in milliseconds."
  namespace           = "AWS/Lambda"
  metric_name         = "Duration"
  dimensions          = local.live_dimensions
  extended_statistic  = "p95"
  period              = local.alarm_period_s
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.alarm_thresholds.duration_p95_ms
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions

  # Of a handful of calls, one cold start would be the 95th percentile.
  evaluate_low_sample_count_percentiles = "ignore"
}

resource "aws_cloudwatch_metric_alarm" "throttles" {
  alarm_name          = "${local.name}-throttles"
  alarm_description   = "Calls of live that Lambda throttled."
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  dimensions          = local.live_dimensions
  statistic           = "Sum"
  period              = local.alarm_period_s
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.alarm_thresholds.throttles
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "database" {
  alarm_name          = "${local.name}-database"
  alarm_description   = "Requests to live that were answered with 503, because the database was unavailable."
  namespace           = aws_cloudwatch_log_metric_filter.database_failures.metric_transformation[0].namespace
  metric_name         = aws_cloudwatch_log_metric_filter.database_failures.metric_transformation[0].name
  statistic           = "Sum"
  period              = local.alarm_period_s
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.alarm_thresholds.database_failures
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

# What API Gateway cannot pass on (a route, the integration, the permission) Lambda does not count.
# Source of the metric's name: "Monitor HTTP API metrics" in the API Gateway developer guide.
resource "aws_cloudwatch_metric_alarm" "api" {
  alarm_name          = "${local.name}-api"
  alarm_description   = "Requests that the API answered with 5xx: API Gateway's own, and the function's."
  namespace           = "AWS/ApiGateway"
  metric_name         = "5xx"
  dimensions          = { ApiId = aws_apigatewayv2_api.http.id }
  statistic           = "Sum"
  period              = local.alarm_period_s
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.alarm_thresholds.api_5xx
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}
