# What each role may do. Everything is named after the service and the environment; where AWS knows no
# finer resource than "*", the reason stands beside it. tests/bootstrap proves that each action is
# called by somebody, and that nobody calls another.

locals {
  # ARNs of an environment's resources, by environment.
  arns = {
    for environment in var.environments : environment => {
      name     = "${var.service}-${environment}"
      function = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.service}-${environment}"
      layer    = "arn:${local.partition}:lambda:${local.region}:${local.account}:layer:${var.service}-${environment}-${var.layer}"
      role     = "arn:${local.partition}:iam::${local.account}:role/${var.service}-${environment}"
      log_groups = flatten([
        for kind in ["lambda", "vendedlogs/apigateway"] : [
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
