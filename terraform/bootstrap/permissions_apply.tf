# What Terraform writes. A rollback needs it, too: it undoes what a deployment left half done.
data "aws_iam_policy_document" "apply" {
  for_each = local.arns

  statement {
    sid = "WriteTheFunction"
    actions = [
      "lambda:AddPermission",
      "lambda:CreateAlias",
      "lambda:CreateFunction",
      "lambda:DeleteAlias",
      "lambda:DeleteFunction",
      "lambda:PublishVersion",
      "lambda:RemovePermission",
      "lambda:TagResource",
      "lambda:UpdateFunctionCode",
      "lambda:UpdateFunctionConfiguration",
    ]
    resources = [each.value.function, "${each.value.function}:*"]
  }

  statement {
    sid       = "PublishTheLayer"
    actions   = ["lambda:PublishLayerVersion"]
    resources = [each.value.layer]
  }

  # With the boundary, so that the function's role can never do more than that allows.
  statement {
    sid       = "CreateTheFunctionsRole"
    actions   = ["iam:CreateRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy"]
    resources = [each.value.role]

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [aws_iam_policy.function_boundary.arn]
    }
  }

  statement {
    sid = "WriteTheFunctionsRole"
    actions = [
      "iam:DeleteRole",
      "iam:ListInstanceProfilesForRole",
      "iam:TagRole",
    ]
    resources = [each.value.role]
  }

  statement {
    sid       = "GiveItToTheFunction"
    actions   = ["iam:PassRole"]
    resources = [each.value.role]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["lambda.amazonaws.com"]
    }
  }

  statement {
    sid       = "WriteTheApi"
    actions   = ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST"]
    resources = [local.apis, "${local.apis}/*"] # an API is called by an id that AWS chooses
  }

  statement {
    sid       = "LeaveOtherApisAlone"
    effect    = "Deny"
    actions   = ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST"]
    resources = [local.apis, "${local.apis}/*"]

    condition {
      test     = "StringNotEquals"
      variable = "apigateway:Resource/ApiName"
      values   = [each.value.name]
    }

    # Only APIs themselves have that key, not what is in them.
    condition {
      test     = "Null"
      variable = "apigateway:Resource/ApiName"
      values   = ["false"]
    }
  }

  statement {
    sid = "HaveTheApiWriteItsLog"
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
    ]
    resources = each.value.log_groups
  }

  statement {
    sid       = "WriteAlarms"
    actions   = ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"]
    resources = [each.value.alarms]
  }

  statement {
    sid       = "WriteTheDashboard"
    actions   = ["cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard"]
    resources = [each.value.dashboard]
  }

  dynamic "statement" {
    for_each = local.optional[each.key].apply

    content {
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }
}
