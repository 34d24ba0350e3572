# What a plan reads: the state, the release that is live, and Terraform's view of every resource.
data "aws_iam_policy_document" "read" {
  for_each = local.arns

  statement {
    sid       = "ReadTheState"
    actions   = ["s3:GetObject"]
    resources = [each.value.state]
  }

  statement {
    sid       = "FindTheState"
    actions   = ["s3:ListBucket"]
    resources = [local.state]

    condition {
      test     = "StringEquals"
      variable = "s3:prefix"
      # Terraform looks for workspaces first, and then for the state itself.
      values = ["env:/", "${var.service}/${each.key}.tfstate"]
    }
  }

  statement {
    sid     = "ReadReleasesAndBundles"
    actions = ["s3:GetObject"]
    resources = [
      # Of every environment: production takes what did well in staging.
      "${local.artifacts}/ledger/*",
      "${local.artifacts}/quarantine/*",
      "${local.artifacts}/bundles/*",
      "${local.artifacts}/packages/*",
    ]
  }

  statement {
    sid       = "ListReleasesAndBundles"
    actions   = ["s3:ListBucket"]
    resources = [local.artifacts]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["ledger/*", "bundles/*"]
    }
  }

  statement {
    sid = "ReadTheFunction"
    actions = [
      "lambda:GetAlias",
      "lambda:GetFunction",
      "lambda:GetFunctionCodeSigningConfig",
      "lambda:GetPolicy",
      "lambda:ListVersionsByFunction",
    ]
    resources = [each.value.function, "${each.value.function}:*"]
  }

  statement {
    sid       = "ReadTheLayer"
    actions   = ["lambda:GetLayerVersion"]
    resources = ["${each.value.layer}:*"]
  }

  statement {
    sid = "ReadTheFunctionsRole"
    actions = [
      "iam:GetRole",
      "iam:GetRolePolicy",
      "iam:ListAttachedRolePolicies",
      "iam:ListRolePolicies",
    ]
    resources = [each.value.role]
  }

  statement {
    sid       = "ReadTheApi"
    actions   = ["apigateway:GET"]
    resources = ["${local.apis}/*"] # an API is called by an id that AWS chooses
  }

  statement {
    sid       = "FindLogGroups"
    actions   = ["logs:DescribeLogGroups"]
    resources = ["*"] # it lists, and knows no resource
  }

  statement {
    sid       = "ReadLogGroups"
    actions   = ["logs:DescribeMetricFilters", "logs:ListTagsForResource"]
    resources = each.value.log_groups
  }

  statement {
    sid       = "ReadAlarms"
    actions   = ["cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"]
    resources = [each.value.alarms]
  }

  statement {
    sid       = "ReadTheDashboard"
    actions   = ["cloudwatch:GetDashboard"]
    resources = [each.value.dashboard]
  }

  dynamic "statement" {
    for_each = local.optional[each.key].read

    content {
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }
}
