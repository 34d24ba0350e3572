# What a release does apart from Terraform: the ledger, live, smoke test, canary analysis.
data "aws_iam_policy_document" "release" {
  for_each = local.arns

  statement {
    sid     = "WriteState"
    actions = ["s3:PutObject"]
    resources = [
      each.value.state,
      "${each.value.state}.tflock",
    ]
  }

  statement {
    sid       = "DeleteStateLock"
    actions   = ["s3:DeleteObject"]
    resources = ["${each.value.state}.tflock"]
  }

  statement {
    sid     = "WriteLedger"
    actions = ["s3:PutObject"]
    resources = [
      "${local.artifacts}/ledger/${each.key}/*",
      "${local.artifacts}/lease/${each.key}.json",
    ]
  }

  # A bundle that a person lets out of quarantine, by deploying it or by rolling back to it.
  statement {
    sid       = "ReleaseFromQuarantine"
    actions   = ["s3:DeleteObject"]
    resources = ["${local.artifacts}/quarantine/${each.key}/*"]
  }

  statement {
    sid = "InvokeFunctionAndMoveAlias"
    actions = [
      "lambda:GetFunctionConfiguration",
      "lambda:InvokeFunction",
      "lambda:UpdateAlias",
    ]
    resources = [each.value.function, "${each.value.function}:*"]
  }

  statement {
    sid       = "ReadSmokeKey"
    actions   = ["ssm:GetParameter"]
    resources = ["${each.value.parameters}/smoke-api-key"]
  }

  statement {
    sid       = "PutReleaseMetric"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"] # metrics are no resources

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = [var.service]
    }
  }

  statement {
    sid       = "ReadMetrics"
    actions   = ["cloudwatch:GetMetricStatistics"]
    resources = ["*"] # metrics are no resources
  }

  statement {
    sid       = "ReadLogEvents"
    actions   = ["logs:FilterLogEvents"]
    resources = each.value.function_log
  }
}

data "aws_iam_policy_document" "deploy" {
  for_each = local.arns

  statement {
    sid     = "StoreBundles"
    actions = ["s3:PutObject"]
    resources = [
      "${local.artifacts}/bundles/*",
      "${local.artifacts}/packages/*",
      "${local.artifacts}/pipeline/${each.key}", # what rollback.yml starts
    ]
  }
}

data "aws_iam_policy_document" "rollback" {
  for_each = local.arns

  statement {
    sid       = "ReadPipeline"
    actions   = ["s3:GetObject"]
    resources = ["${local.artifacts}/pipeline/${each.key}"]
  }

  statement {
    sid       = "PutIntoQuarantine"
    actions   = ["s3:PutObject"]
    resources = ["${local.artifacts}/quarantine/${each.key}/*"]
  }
}
