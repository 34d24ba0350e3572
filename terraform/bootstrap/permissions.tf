# What each role may do. Everything is named after the service and the environment; where AWS knows no
# finer resource than "*", the reason stands beside it. tests/bootstrap proves that each action is
# called by somebody, and that nobody calls another.

locals {
  # ARNs of an environment's resources, by environment.
  arns = {
    for environment in var.environments : environment => {
      name     = "${var.service}-${environment}"
      function = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.service}-${environment}"
      layer    = "arn:${local.partition}:lambda:${local.region}:${local.account}:layer:${var.service}-${environment}-pymongo"
      role     = "arn:${local.partition}:iam::${local.account}:role/${var.service}-${environment}"
      log_groups = flatten([
        for kind in ["lambda", "apigateway"] : [
          # With ":*" for its streams: CloudWatch Logs compares either form, by action.
          for suffix in ["", ":*"] :
          "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/${kind}/${var.service}-${environment}${suffix}"
        ]
      ])
      alarms    = "arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm:${var.service}-${environment}-*"
      dashboard = "arn:${local.partition}:cloudwatch::${local.account}:dashboard/${var.service}-${environment}"
      smoke_key = "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter/${var.service}/${environment}/smoke-api-key"
      state     = "${aws_s3_bucket.kept["terraform-state"].arn}/${var.service}/${environment}.tfstate"
    }
  }

  apis      = "arn:${local.partition}:apigateway:${local.region}::/apis"
  state     = aws_s3_bucket.kept["terraform-state"].arn
  artifacts = aws_s3_bucket.kept["artifacts"].arn
}

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

locals {
  policies = {
    plan     = { read = data.aws_iam_policy_document.read }
    deploy   = { read = data.aws_iam_policy_document.read, release = data.aws_iam_policy_document.release, apply = data.aws_iam_policy_document.apply, deploy = data.aws_iam_policy_document.deploy }
    rollback = { read = data.aws_iam_policy_document.read, release = data.aws_iam_policy_document.release, apply = data.aws_iam_policy_document.apply, rollback = data.aws_iam_policy_document.rollback }
  }

  role_policies = merge([
    for role, each in local.roles : {
      for name, documents in local.policies[each.purpose] :
      "${role}/${name}" => { role = role, name = name, json = documents[each.environment].json }
    }
  ]...)
}

resource "aws_iam_role_policy" "github" {
  for_each = local.role_policies
  name     = each.value.name
  role     = aws_iam_role.github[each.value.role].id
  policy   = each.value.json
}

# The most that a function's role may do, whatever Terraform writes into it.
data "aws_iam_policy_document" "function_boundary" {
  #checkov:skip=CKV_AWS_111:X-Ray's write actions know no resources, and Lambda names no interface.
  #checkov:skip=CKV_AWS_356:The same. A boundary grants nothing by itself.
  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${var.service}-*"]
  }

  statement {
    sid       = "ReadConnectionStrings"
    actions   = ["ssm:GetParameter"]
    resources = ["arn:${local.partition}:ssm:${local.region}:${local.account}:parameter/${var.service}/*"]
  }

  statement {
    sid       = "SendTraces"
    actions   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    resources = ["*"] # they know no resource
  }

  # For a function in a VPC.
  statement {
    sid = "HaveNetworkInterfaces"
    actions = [
      "ec2:AssignPrivateIpAddresses",
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "ec2:UnassignPrivateIpAddresses",
    ]
    resources = ["*"] # Lambda asks for them without naming one
  }
}

resource "aws_iam_policy" "function_boundary" {
  name        = "${var.service}-function"
  description = "The most that a function's role may do"
  policy      = data.aws_iam_policy_document.function_boundary.json
}
