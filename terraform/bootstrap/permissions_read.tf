# What a plan and `status` read: the state and its lock, the release that is live and whether one is
# under way, and Terraform's view of every resource.
#
# S3 answers for a key that is missing with 404 only if the caller may list that key, else with 403
# (GetObject in the S3 API reference). So what is read can be listed, too.
data "aws_iam_policy_document" "read" {
  for_each = local.arns

  statement {
    sid       = "ReadState"
    actions   = ["s3:GetObject"]
    resources = [each.value.state, "${each.value.state}.tflock"]
  }

  statement {
    sid       = "ListState"
    actions   = ["s3:ListBucket"]
    resources = [local.state]

    condition {
      test     = "StringEquals"
      variable = "s3:prefix"
      # Terraform looks for workspaces first, and then for the state itself.
      values = [
        "env:/",
        "${var.service}/${each.key}.tfstate",
        "${var.service}/${each.key}.tfstate.tflock",
      ]
    }
  }

  statement {
    sid     = "ReadArtifacts"
    actions = ["s3:GetObject"]
    resources = [
      # Of every environment: production takes what did well in staging.
      "${local.artifacts}/ledger/*",
      "${local.artifacts}/quarantine/*",
      "${local.artifacts}/bundles/*",
      "${local.artifacts}/packages/*",
      "${local.artifacts}/lease/${each.key}.json",
    ]
  }

  statement {
    sid       = "ListArtifacts"
    actions   = ["s3:ListBucket"]
    resources = [local.artifacts]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["ledger/*", "quarantine/*", "bundles/*", "packages/*", "lease/${each.key}.json"]
    }
  }

  statement {
    sid = "ReadFunction"
    actions = concat(
      [
        "lambda:GetAlias",
        "lambda:GetFunction",
        "lambda:GetFunctionCodeSigningConfig",
        "lambda:GetPolicy",
        "lambda:ListTags", # without it, GetFunction gives no tags, and no plan is ever empty
        "lambda:ListVersionsByFunction",
      ],
      contains(var.options, "provisioned_concurrency") ? ["lambda:GetProvisionedConcurrencyConfig"] : [],
    )
    resources = [each.value.function, "${each.value.function}:*"]
  }

  statement {
    sid       = "ReadLayer"
    actions   = ["lambda:GetLayerVersion"]
    resources = ["${each.value.layer}:*"]
  }

  dynamic "statement" {
    for_each = contains(var.options, "code_signing") ? [1] : []

    content {
      sid       = "ReadCodeSigningConfig"
      actions   = ["lambda:GetCodeSigningConfig", "lambda:ListTags"]
      resources = [local.code_signing] # it is called by an id that AWS chooses
    }
  }

  statement {
    sid = "ReadRole"
    actions = [
      "iam:GetRole",
      "iam:GetRolePolicy",
      "iam:ListAttachedRolePolicies",
      "iam:ListRolePolicies",
    ]
    resources = [each.value.role]
  }

  statement {
    sid       = "ReadApi"
    actions   = ["apigateway:GET"]
    resources = [for arn in local.api_resources : arn if endswith(arn, "/*")] # an API is called by an id that AWS chooses
  }

  statement {
    sid       = "ListLogGroups"
    actions   = ["logs:DescribeLogGroups"]
    resources = ["*"] # it lists, and knows no resource
  }

  statement {
    sid       = "ReadLogGroups"
    actions   = ["logs:DescribeMetricFilters", "logs:ListTagsForResource"]
    resources = concat(each.value.function_log, each.value.api_log)
  }

  statement {
    sid       = "DescribeAlarms"
    actions   = ["cloudwatch:DescribeAlarms"]
    resources = ["*"] # with a narrower scope it says nothing of composite alarms: CloudWatch API reference
  }

  statement {
    sid       = "ReadAlarmTags"
    actions   = ["cloudwatch:ListTagsForResource"]
    resources = [each.value.alarms]
  }

  statement {
    sid       = "ReadDashboard"
    actions   = ["cloudwatch:GetDashboard"]
    resources = [each.value.dashboard]
  }
}
