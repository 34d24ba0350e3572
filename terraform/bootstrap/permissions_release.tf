# What a release does beside Terraform: the ledger, live, first calls, the gate.
data "aws_iam_policy_document" "release" {
  for_each = local.arns

  statement {
    sid     = "WriteTheStateAndItsLock"
    actions = ["s3:PutObject"]
    resources = [
      each.value.state,
      "${each.value.state}.tflock",
    ]
  }

  statement {
    sid       = "ReadAndGiveUpTheLock"
    actions   = ["s3:GetObject", "s3:DeleteObject"]
    resources = ["${each.value.state}.tflock"]
  }

  statement {
    sid     = "WriteReleases"
    actions = ["s3:PutObject"]
    resources = [
      "${local.artifacts}/ledger/${each.key}/*",
      "${local.artifacts}/lease/${each.key}.json",
    ]
  }

  statement {
    sid       = "ReadTheLease"
    actions   = ["s3:GetObject"]
    resources = ["${local.artifacts}/lease/${each.key}.json"]
  }

  statement {
    sid = "MoveLiveAndCallVersions"
    actions = [
      "lambda:GetFunctionConfiguration",
      "lambda:InvokeFunction",
      "lambda:UpdateAlias",
    ]
    resources = [each.value.function, "${each.value.function}:*"]
  }

  statement {
    sid       = "ReadTheSmokeKey"
    actions   = ["ssm:GetParameter"]
    resources = [each.value.smoke_key]
  }

  statement {
    sid       = "MarkReleases"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"] # metrics are no resources

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = [var.service]
    }
  }

  statement {
    sid       = "CompareThrottles"
    actions   = ["cloudwatch:GetMetricStatistics"]
    resources = ["*"] # metrics are no resources
  }

  statement {
    sid       = "ReadTheFunctionsLog"
    actions   = ["logs:FilterLogEvents"]
    resources = each.value.log_groups
  }
}

data "aws_iam_policy_document" "deploy" {
  for_each = local.arns

  statement {
    sid       = "StoreBundles"
    actions   = ["s3:PutObject"]
    resources = ["${local.artifacts}/bundles/*", "${local.artifacts}/packages/*"]
  }

  statement {
    sid       = "ReleaseFromQuarantine"
    actions   = ["s3:DeleteObject"]
    resources = ["${local.artifacts}/quarantine/${each.key}/*"]
  }
}

data "aws_iam_policy_document" "rollback" {
  for_each = local.arns

  statement {
    sid       = "PutIntoQuarantine"
    actions   = ["s3:PutObject"]
    resources = ["${local.artifacts}/quarantine/${each.key}/*"]
  }
}
