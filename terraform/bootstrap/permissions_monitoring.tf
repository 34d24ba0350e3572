# What Terraform writes of logs, metric filters, alarms and the dashboard.
data "aws_iam_policy_document" "monitoring" {
  for_each = local.arns

  statement {
    sid = "WriteLogDelivery"
    actions = [
      "logs:CreateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:DescribeResourcePolicies",
      "logs:GetLogDelivery",
      "logs:ListLogDeliveries",
      "logs:PutResourcePolicy",
      "logs:UpdateLogDelivery",
    ]
    resources = ["*"] # they know no resource; API Gateway calls them for whoever sets up its log
  }

  statement {
    sid = "WriteLogGroups"
    actions = [
      "logs:CreateLogGroup",
      "logs:DeleteLogGroup",
      "logs:DeleteMetricFilter",
      "logs:PutMetricFilter",
      "logs:PutRetentionPolicy",
      "logs:TagResource",
      "logs:UntagResource",
    ]
    resources = concat(each.value.function_log, each.value.api_log)
  }

  statement {
    sid = "WriteAlarms"
    actions = [
      "cloudwatch:DeleteAlarms",
      "cloudwatch:PutMetricAlarm",
      "cloudwatch:TagResource",
      "cloudwatch:UntagResource",
    ]
    resources = [each.value.alarms]
  }

  statement {
    sid       = "WriteDashboard"
    actions   = ["cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard"]
    resources = [each.value.dashboard]
  }
}
