# What CloudWatch counts out of the function's log: the JSON line that the handler prints for each
# request, and Lambda's own report of each call.
#
# A metric filter can set no dimension of its own, so the environment is part of the namespace.

resource "aws_cloudwatch_log_metric_filter" "answered_5xx" {
  name           = "${local.name}-answered-5xx"
  log_group_name = aws_cloudwatch_log_group.function.name
  pattern        = "{ ($.status >= 500) && ($.qualifier = \"${aws_lambda_alias.live.name}\") }"

  metric_transformation {
    namespace     = local.name
    name          = "Answered5xx"
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_log_metric_filter" "database_failures" {
  name           = "${local.name}-database-failures"
  log_group_name = aws_cloudwatch_log_group.function.name
  pattern        = "{ ($.databaseFailed IS TRUE) && ($.qualifier = \"${aws_lambda_alias.live.name}\") }"

  metric_transformation {
    namespace     = local.name
    name          = "DatabaseFailures"
    value         = "1"
    default_value = "0"
  }
}

# Lambda has no metric of the memory that a call used. Its report names no alias, so this is of all
# versions.
resource "aws_cloudwatch_log_metric_filter" "memory_used" {
  name           = "${local.name}-memory-used"
  log_group_name = aws_cloudwatch_log_group.function.name
  pattern = (
    var.log_format == "JSON"
    ? "{ $.type = \"platform.report\" }"
    # REPORT RequestId: … Duration: 1.2 ms Billed Duration: 2 ms Memory Size: 256 MB Max Memory Used: 71 MB …
    : "[report=REPORT, request=\"RequestId:\", id, d1=\"Duration:\", duration, ms1, b1=Billed, b2=\"Duration:\", billed, ms2, s1=Memory, s2=\"Size:\", size, mb1, m1=Max, m2=Memory, m3=\"Used:\", used, mb2, ...]"
  )

  metric_transformation {
    namespace = local.name
    name      = "MemoryUsed"
    value     = var.log_format == "JSON" ? "$.record.metrics.maxMemoryUsedMB" : "$used"
    unit      = "Megabytes"
  }
}
